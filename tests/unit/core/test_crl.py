from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certuary.core.certificate import KEY_TYPES, SigningKey, build_root, hash_for, sign_plan
from certuary.core.crl import REASONS, build_crl, check_reason, listed_entries
from certuary.core.values import make_serial
from certuary.errors import InvalidValue

NOW = datetime(2026, 11, 23, 12, 30, 15, tzinfo=UTC)
NEXT = NOW + timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    serial: int
    revoked_at: datetime = NOW
    reason: str = "unspecified"


def authority(key_type: str = "ec-p256") -> tuple[x509.Certificate, SigningKey]:
    key = KEY_TYPES[key_type].generate()
    plan = build_root(key.public_key(), organization="Acme", serial=5, now=NOW - timedelta(days=1))
    return sign_plan(plan, key).certificate, key


ISSUER, SIGNER = authority()


def crl_of(*entries: Entry) -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl(_build(*entries))


def _build(*entries: Entry, this_update: datetime = NOW, next_update: datetime = NEXT) -> bytes:
    return build_crl(
        issuer=ISSUER,
        signer=SIGNER,
        number=7,
        this_update=this_update,
        next_update=next_update,
        revoked=entries,
    )


def by_cryptography(issuer: x509.Certificate, signer: SigningKey, entries: list[Entry]) -> bytes:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(NOW)
        .next_update(NEXT)
        .add_extension(x509.AuthorityKeyIdentifier(identifier.digest, None, None), critical=False)
        .add_extension(x509.CRLNumber(7), critical=False)
    )
    for entry in entries:
        revoked = x509.RevokedCertificateBuilder(entry.serial, entry.revoked_at.replace(tzinfo=None))
        if entry.reason != "unspecified":
            revoked = revoked.add_extension(x509.CRLReason(x509.ReasonFlags(entry.reason)), critical=False)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(signer, hash_for(signer)).public_bytes(Encoding.DER)


EVERY_REASON = [Entry(serial=1 << (8 * place), reason=reason) for place, reason in enumerate(REASONS)]


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_build_crl_writes_what_cryptography_writes_for_every_key_type_and_reason(key_type: str) -> None:
    issuer, signer = authority(key_type)
    made = build_crl(
        issuer=issuer, signer=signer, number=7, this_update=NOW, next_update=NEXT, revoked=EVERY_REASON
    )
    read = x509.load_der_x509_crl(made)
    expected = x509.load_der_x509_crl(by_cryptography(issuer, signer, EVERY_REASON))
    assert read.tbs_certlist_bytes == expected.tbs_certlist_bytes
    assert read.signature_algorithm_oid == expected.signature_algorithm_oid
    assert read.is_signature_valid(signer.public_key())


def test_build_crl_leaves_the_list_out_when_nothing_is_revoked() -> None:
    assert len(crl_of()) == 0
    assert _tbs(_build()) == _tbs(by_cryptography(ISSUER, SIGNER, []))


def _tbs(crl_der: bytes) -> bytes:
    return x509.load_der_x509_crl(crl_der).tbs_certlist_bytes


def test_build_crl_names_issuer_number_and_dates() -> None:
    crl = crl_of(Entry(serial=0x1234, reason="keyCompromise"))
    assert crl.issuer.public_bytes() == ISSUER.subject.public_bytes()
    assert crl.last_update_utc == NOW
    assert crl.next_update_utc == NEXT
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 7
    revoked = crl.get_revoked_certificate_by_serial_number(0x1234)
    assert revoked is not None
    assert revoked.revocation_date_utc == NOW
    reason = revoked.extensions.get_extension_for_class(x509.CRLReason)
    assert reason.value.reason is x509.ReasonFlags.key_compromise
    assert not reason.critical


@pytest.mark.parametrize("reason", ["unspecified", "a word of tomorrow"])
def test_build_crl_lists_an_entry_without_a_reason_it_cannot_name(reason: str) -> None:
    (only,) = crl_of(Entry(serial=1, reason=reason))
    assert list(only.extensions) == []


def test_build_crl_writes_times_in_utc_without_fractions() -> None:
    berlin = timezone(timedelta(hours=1))
    (only,) = crl_of(Entry(serial=1, revoked_at=NOW.astimezone(berlin).replace(microsecond=999_999)))
    assert only.revocation_date_utc == NOW


@pytest.mark.parametrize("year", [2049, 2050])
def test_build_crl_changes_the_form_of_times_in_2050(year: int) -> None:
    last_hour = datetime(year, 1, 1, 0, 30, tzinfo=UTC)
    # The zone's year must not decide: this moment is still the year before in New York.
    moment = last_hour.astimezone(timezone(timedelta(hours=-5)))
    made = _build(this_update=moment, next_update=moment)
    assert x509.load_der_x509_crl(made).last_update_utc == last_hour
    assert (b"20500101003000Z" in made) is (year == 2050)


def test_build_crl_manages_100_000_entries() -> None:
    entries = (
        Entry(serial=make_serial(1_795_000_000_000 + n, bytes(12)), reason="superseded")
        for n in range(100_000)
    )
    started = time.perf_counter()
    made = build_crl(
        issuer=ISSUER, signer=SIGNER, number=8, this_update=NOW, next_update=NEXT, revoked=entries
    )
    assert time.perf_counter() - started < 5
    crl = x509.load_der_x509_crl(made)
    assert len(crl) == 100_000
    assert crl.is_signature_valid(SIGNER.public_key())


@pytest.mark.parametrize(
    ("written", "name"),
    [("keycompromise", "keyCompromise"), (" cACompromise ", "cACompromise"), ("SUPERSEDED", "superseded")],
)
def test_check_reason_gives_the_spelling_of_the_rfc(written: str, name: str) -> None:
    assert check_reason(written) == name


@pytest.mark.parametrize("written", ["", "removeFromCRL", "stolen", "1"])
def test_check_reason_refuses(written: str) -> None:
    with pytest.raises(InvalidValue, match="keyCompromise"):
        check_reason(written)


def test_the_reasons_are_those_of_the_rfc() -> None:
    numbers = dict(REASONS)
    assert numbers == {
        "unspecified": 0, "keyCompromise": 1, "cACompromise": 2, "affiliationChanged": 3, "superseded": 4,
        "cessationOfOperation": 5, "certificateHold": 6, "privilegeWithdrawn": 9, "aACompromise": 10,
    }  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_entries_of_a_list_are_read_back_and_make_the_same_list(count: int) -> None:
    entries = [
        Entry(serial=make_serial(number, bytes(12)) or 1, reason="superseded" if number else "unspecified")
        for number in range(count)
    ]
    crl_der = _build(*entries)
    listed = dict(listed_entries(crl_der))
    assert list(listed) == [entry.serial for entry in entries]
    again = build_crl(
        issuer=ISSUER,
        signer=SIGNER,
        number=7,
        this_update=NOW,
        next_update=NEXT,
        revoked=(),
        kept=listed.values(),
    )
    assert dict(listed_entries(again)) == listed
    assert len(again) == pytest.approx(len(crl_der), abs=4)  # an ECDSA signature's length varies


def test_kept_entries_come_before_new_ones() -> None:
    kept = dict(listed_entries(_build(Entry(serial=9)))).values()
    made = build_crl(
        issuer=ISSUER,
        signer=SIGNER,
        number=7,
        this_update=NOW,
        next_update=NEXT,
        revoked=[Entry(serial=4)],
        kept=kept,
    )
    assert [entry.serial_number for entry in x509.load_der_x509_crl(made)] == [9, 4]
