"""Publish an authority's full CRL. RFC 5280 sections 3.3 and 5.

Its number rises by one with each, and a number is published once: two nodes that publish at the same moment
are told apart by the database, and the later one takes the earlier one's list.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from certuary.core.certificate import SigningKey
from certuary.core.crl import build_crl
from certuary.errors import AlreadyExists, ClockUnsafe
from certuary.services.ports import AuditRow, Clock, CrlRow, CrlStore, Record, RevokedEntry

_CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlIssuer:
    """An authority with what its CRL needs; `lifetime` runs from thisUpdate to nextUpdate."""

    id: int
    name: str
    certificate: x509.Certificate
    lifetime: timedelta

    @classmethod
    def from_record(cls, authority: Record) -> CrlIssuer:
        """`authority` is a record of that kind."""
        values = authority.values
        certificate_der, lifetime_seconds = values["certificate_der"], values["crl_lifetime_seconds"]
        assert isinstance(authority.id, int)
        assert isinstance(certificate_der, bytes)
        assert isinstance(lifetime_seconds, int)
        return cls(
            id=authority.id,
            name=str(values["name"]),
            certificate=x509.load_der_x509_certificate(certificate_der),
            lifetime=timedelta(seconds=lifetime_seconds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlDeps:
    """`actor` is who the audit event names: a user's name, or the job's."""

    crls: CrlStore
    clock: Clock
    actor_kind: str = "system"
    actor: str = "crl-job"
    request_id: str = ""


def is_due(latest: CrlRow | None, now: datetime) -> bool:
    """By time alone: there is none, or half of its lifetime is over. Revocations are another reason."""
    if latest is None:
        return True
    return now >= latest.this_update + (latest.next_update - latest.this_update) / 2


def publish_crl(issuer: CrlIssuer, signer: SigningKey, deps: CrlDeps) -> CrlRow:
    """Make, sign and store the next CRL; give back the newest one. `ClockUnsafe`, `DatabaseDown`."""
    latest = deps.crls.latest(issuer.id)
    this_update = _this_update(latest, deps.clock.now())
    # Read before the entries: a revocation between the two is then in this list and taken for news once more,
    # never the other way round.
    covers_revision = deps.crls.current_revision()
    entries = _Counted(deps.crls.revoked(issuer.id, since=_oldest_expiry(latest, issuer)))
    number = 1 if latest is None else latest.number + 1
    next_update = this_update + issuer.lifetime
    crl_der = build_crl(
        issuer=issuer.certificate,
        signer=signer,
        number=number,
        this_update=this_update,
        next_update=next_update,
        revoked=entries,
    )
    row = CrlRow(
        authority_id=issuer.id,
        number=number,
        covers_revision=covers_revision,
        this_update=this_update,
        next_update=next_update,
        der=crl_der,
    )
    return _store(row, _audit(issuer, row, entries.count, deps), deps)


class _Counted:
    """Entries as they stream by: a list of 100,000 is not held twice."""

    def __init__(self, entries: Iterable[RevokedEntry]) -> None:
        self._entries = entries
        self.count = 0

    def __iter__(self) -> Iterator[RevokedEntry]:
        for entry in self._entries:
            self.count += 1
            yield entry


def _this_update(latest: CrlRow | None, now: datetime) -> datetime:
    """Whole seconds, as the CRL has them; never before the previous list's."""
    now = now.replace(microsecond=0)
    if latest is None or now >= latest.this_update:
        return now
    if latest.this_update - now > _CLOCK_TOLERANCE:
        raise ClockUnsafe(f"the newest CRL is from {latest.this_update:%Y-%m-%dT%H:%M:%SZ}, ahead of now")
    return latest.this_update


def _oldest_expiry(latest: CrlRow | None, issuer: CrlIssuer) -> datetime:
    """Since when a certificate may have expired (or been revoked) and must still be listed.

    RFC 5280 section 3.3: an entry stays until one regularly scheduled CRL beyond its expiry has held it.
    Scheduled ones are half a lifetime apart, so one lies in the whole lifetime before the latest list.
    """
    if latest is None:
        return issuer.certificate.not_valid_before_utc
    return latest.this_update - issuer.lifetime


def _store(row: CrlRow, audit: AuditRow, deps: CrlDeps) -> CrlRow:
    try:
        deps.crls.add(row, audit)
    except AlreadyExists:
        newest = deps.crls.latest(row.authority_id)
        if newest is None:
            raise
        return newest
    return row


def _audit(issuer: CrlIssuer, row: CrlRow, entries: int, deps: CrlDeps) -> AuditRow:
    detail = {"number": row.number, "entries": entries, "next_update": row.next_update.isoformat()}
    return AuditRow(
        at=deps.clock.now(),
        kind="crl.published",
        actor_kind=deps.actor_kind,
        actor=deps.actor,
        target=f"authority:{issuer.name}",
        request_id=deps.request_id,
        address="",
        detail=json.dumps(detail, sort_keys=True),
    )
