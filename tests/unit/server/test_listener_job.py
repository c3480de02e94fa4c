"""The listener's renewal job; the file it keeps lies in tmp_path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509

from certuary.core.certificate import SigningKey
from certuary.errors import DatabaseDown, KeyStoreDown
from certuary.keystore.memory import MemoryKeyStore
from certuary.server.listener_job import ListenerJob, ListenerJobDeps, listener_issuer
from certuary.services.create_authority import create_issuing, create_root
from certuary.services.ports import AuditRow, CertificateRow, Record, RecordStore, RecordTransaction
from tests.memory_records import MARKER

START = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Setting:
    def __init__(self, path: Path) -> None:
        self.keys = MemoryKeyStore()
        self.root = create_root(self.keys, organization="Acme", key_type="ec-p256", now=START)
        self.issuing = create_issuing(
            self.keys,
            root=self.root,
            organization="Acme",
            key_type="ec-p256",
            now=START,
            status_url="http://ca.example",
        )
        self.authorities = (
            Record(kind="authority", id=1, revision=1, values=self.root.record_values(issuer_id=None)),
            Record(kind="authority", id=2, revision=1, values=self.issuing.record_values(issuer_id=1)),
        )
        self.certificates: list[CertificateRow] = []
        self.audit: list[AuditRow] = []
        self.seconds = 0.0
        self.down = False
        self.path = path / "listener.pem"
        self.signer: SigningKey | None = self.issuing.signer
        self.job = ListenerJob(
            ListenerJobDeps(
                records=cast(RecordStore, self),
                keys=self.keys,
                signer_of=self.signer_of,
                clock=self,
                steady=lambda: self.seconds,
                path=self.path,
                hostnames=("est.example",),
                status_url="http://ca.example",
                marker=MARKER,
            )
        )

    def signer_of(self, record: Record) -> SigningKey | None:
        return self.signer if record.id == 2 else None

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def all(self, kind: str) -> tuple[Record, ...]:
        if self.down:
            raise DatabaseDown("gone")
        return self.authorities

    @contextmanager
    def transaction(self) -> Iterator[RecordTransaction]:
        yield cast(RecordTransaction, self)

    def add_certificate(self, row: CertificateRow) -> None:
        self.certificates.append(row)

    def add_audit(self, row: AuditRow) -> None:
        self.audit.append(row)


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


def test_a_missing_certificate_is_made_recorded_and_audited(setting: Setting) -> None:
    setting.job.tick()
    leaf = x509.load_pem_x509_certificate(setting.path.read_bytes())
    leaf.verify_directly_issued_by(setting.issuing.certificate)
    (row,) = setting.certificates
    assert (row.serial, row.authority_id, row.source) == (leaf.serial_number, 2, "tls")
    assert [event.kind for event in setting.audit] == ["listener.renewed"]


def test_a_good_certificate_is_left_alone_and_renewed_when_a_third_is_left(setting: Setting) -> None:
    setting.job.tick()
    setting.seconds = 59 * 86400
    setting.job.tick()
    assert len(setting.certificates) == 1
    setting.seconds = 61 * 86400
    setting.job.tick()
    assert len(setting.certificates) == 2


def test_it_acts_once_a_minute(setting: Setting) -> None:
    setting.job.tick()
    setting.path.unlink()
    setting.seconds = 59
    setting.job.tick()
    assert not setting.path.exists()
    setting.seconds = 60
    setting.job.tick()
    assert setting.path.exists()


def test_a_database_that_is_away_is_tried_again_in_the_next_round(setting: Setting) -> None:
    setting.down = True
    with pytest.raises(DatabaseDown):
        setting.job.tick()
    setting.down = False
    setting.job.tick()
    assert setting.path.exists()


def test_a_key_store_that_fails_is_a_problem_until_it_works(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **named: object) -> bytes:
        raise KeyStoreDown("sealed for good")

    with monkeypatch.context() as patch:
        patch.setattr(setting.keys, "seal", fail)
        setting.job.tick()
    assert "sealed for good" in setting.job.problems[0]
    setting.seconds = 61
    setting.job.tick()
    assert setting.job.problems == ()


def test_without_an_issuing_key_nothing_is_made(setting: Setting) -> None:
    setting.signer = None
    setting.job.tick()
    assert not setting.path.exists()
    assert setting.job.problems == ()


def test_the_issuer_s_chain_ends_with_its_root(setting: Setting) -> None:
    issuer = listener_issuer(setting.authorities, setting.signer_of, "http://ca.example")
    assert issuer is not None
    assert issuer.chain == (setting.issuing.certificate_der, setting.root.certificate_der)


def test_a_loop_in_the_records_ends_the_chain(setting: Setting) -> None:
    looped = tuple(
        Record(
            kind="authority", id=one.id, revision=1, values={**one.values, "issuer_id": 3 - cast(int, one.id)}
        )
        for one in setting.authorities
    )
    issuer = listener_issuer(looped, setting.signer_of, "http://ca.example")
    assert issuer is not None
    assert len(issuer.chain) == 3
