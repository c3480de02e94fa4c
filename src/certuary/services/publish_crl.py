"""Publish an authority's full CRL. RFC 5280 sections 3.3 and 5.

Its number rises by one with each, and a number is published once: two nodes that publish at the same moment
are told apart by the database, and the later one takes the earlier one's list. It is built upon the newest list
that holds its mark, and upon records that hold theirs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from certuary.core.certificate import SigningKey
from certuary.core.crl import build_crl
from certuary.core.mark import Marker
from certuary.errors import AlreadyExists, ClockUnsafe
from certuary.services.believed_crl import newest_believed_crl
from certuary.services.ports import AuditRow, Clock, CrlRow, CrlStore, Record
from certuary.services.review_revocations import Altered, Review, ReviewDeps, review_revocations

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
    marker: Marker
    actor_kind: str = "system"
    actor: str = "crl-job"
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """`altered`: what was found on the way."""

    crl: CrlRow
    altered: tuple[Altered, ...]


def is_due(latest: CrlRow | None, now: datetime) -> bool:
    """By time alone: there is none, or half of its lifetime is over. Revocations are another reason."""
    if latest is None:
        return True
    return now >= latest.this_update + (latest.next_update - latest.this_update) / 2


def publish_crl(
    issuer: CrlIssuer, signer: SigningKey, deps: CrlDeps, *, believed: CrlRow | None = None
) -> Published:
    """Make, sign and store the next CRL; give back the newest one. `ClockUnsafe`, `DatabaseDown`, `InvalidMark`.

    `believed`: the newest one that the caller knows and whose mark it has checked.
    """
    newest_number = deps.crls.latest_number(issuer.id) or 0
    if believed is None or believed.number < newest_number:
        believed = _newer(newest_believed_crl(deps.crls, issuer.id, deps.marker).crl, believed)
    this_update = _this_update(believed, deps.clock.now())
    # Read before the entries: a revocation between the two is then in this list and taken for news once more,
    # never the other way round.
    covers_revision = deps.crls.current_revision()
    review = review_publication(issuer, believed, ReviewDeps(crls=deps.crls, marker=deps.marker))
    number = 1 + max(newest_number, believed.number if believed else 0)
    next_update = this_update + issuer.lifetime
    crl_der = build_crl(
        issuer=issuer.certificate,
        signer=signer,
        number=number,
        this_update=this_update,
        next_update=next_update,
        revoked=review.new,
        kept=review.kept,
    )
    row = CrlRow(
        authority_id=issuer.id,
        number=number,
        covers_revision=covers_revision,
        this_update=this_update,
        next_update=next_update,
        der=crl_der,
        marker=deps.marker,
    )
    entries = len(review.kept) + len(review.new)
    return Published(crl=_store(row, _audit(issuer, row, entries, deps), deps), altered=review.altered)


def review_publication(issuer: CrlIssuer, believed: CrlRow | None, deps: ReviewDeps) -> Review:
    """What the next CRL would list, and which records were altered."""
    return review_revocations(issuer.id, believed, since=_oldest_expiry(believed, issuer), deps=deps)


def _newer(one: CrlRow | None, other: CrlRow | None) -> CrlRow | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda row: row.number)


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
        deps.marker.check_crl(newest)
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
