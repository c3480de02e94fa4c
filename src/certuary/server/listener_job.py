"""Renew the EST listener's certificate in time. Each node does it for itself; its workers watch the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from cryptography import x509

from certuary.core.certificate import SigningKey
from certuary.core.mark import Marker
from certuary.core.values import serial_to_text
from certuary.errors import CertuaryError, DatabaseDown
from certuary.services.listener_certificate import ListenerIssuer, renew_listener_certificate
from certuary.services.ports import AuditRow, CertificateRow, Clock, KeyStore, Record, RecordStore

_log = structlog.get_logger("certuary.jobs")

_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerJobDeps:
    records: RecordStore
    keys: KeyStore
    signer_of: Callable[[Record], SigningKey | None]
    clock: Clock
    steady: Callable[[], float]
    path: Path
    hostnames: Sequence[str]
    status_url: str
    marker: Marker


class ListenerJob:
    """Call `tick` often, from one thread; it acts once a minute."""

    def __init__(self, deps: ListenerJobDeps) -> None:
        self._deps = deps
        self._next_at = float("-inf")
        self.problem: str | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        return (self.problem,) if self.problem else ()

    def tick(self) -> None:
        if self._deps.steady() < self._next_at:
            return
        self._next_at = self._deps.steady() + _EVERY_SECONDS
        try:
            self._renew()
            self.problem = None
        except DatabaseDown:
            self._next_at = float("-inf")
            raise
        except CertuaryError as problem:
            self.problem = f"the EST listener's certificate cannot be renewed: {problem}"
            _log.error("the listener's certificate cannot be renewed", problem=str(problem))

    def _renew(self) -> None:
        issuer = listener_issuer(
            self._deps.records.all("authority"), self._deps.signer_of, self._deps.status_url
        )
        if issuer is None:
            return
        identity = renew_listener_certificate(
            self._deps.path,
            self._deps.keys,
            issuer,
            hostnames=self._deps.hostnames,
            now=self._deps.clock.now(),
            record=self._record,
        )
        if identity is not None:
            _log.info("listener certificate renewed", not_after=str(identity.certificate.not_valid_after_utc))

    def _record(self, row: CertificateRow) -> None:
        detail = {"alternative_names": row.alternative_names, "not_after": row.not_after.isoformat()}
        with self._deps.records.transaction() as transaction:
            transaction.add_certificate(replace(row, marker=self._deps.marker))
            transaction.add_audit(
                AuditRow(
                    at=row.issued_at,
                    kind="listener.renewed",
                    actor_kind="system",
                    actor="listener-job",
                    target=serial_to_text(row.serial),
                    request_id="",
                    address="",
                    detail=json.dumps(detail, sort_keys=True),
                )
            )


def listener_issuer(
    authorities: Sequence[Record], signer_of: Callable[[Record], SigningKey | None], status_url: str
) -> ListenerIssuer | None:
    """The first issuing authority whose key is at hand; None without one."""
    by_id = {authority.id: authority for authority in authorities}
    for authority in authorities:
        signer = signer_of(authority) if authority.values["kind"] == "issuing" else None
        if signer is None:
            continue
        assert isinstance(authority.id, int)
        chain = _chain(authority, by_id)
        return ListenerIssuer(
            id=authority.id,
            name=str(authority.values["name"]),
            certificate=x509.load_der_x509_certificate(chain[0]),
            chain=chain,
            signer=signer,
            status_url=status_url,
        )
    return None


def _chain(authority: Record, by_id: dict[int | str, Record]) -> tuple[bytes, ...]:
    """From the authority to its root, in DER. A loop in the records ends it."""
    chain: list[bytes] = []
    above: Record | None = authority
    while above is not None and len(chain) <= len(by_id):
        certificate_der = above.values["certificate_der"]
        assert isinstance(certificate_der, bytes)
        chain.append(certificate_der)
        issuer_id = above.values["issuer_id"]
        above = by_id.get(issuer_id) if isinstance(issuer_id, int) else None
    return tuple(chain)
