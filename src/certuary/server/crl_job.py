"""Keep every authority's CRL fresh: by time when half its lifetime is over, and soon after a revocation.

One process at a time does it, under a lease. All of them read what is published and serve it from memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from certuary.core.certificate import SigningKey
from certuary.errors import CertuaryError, DatabaseDown
from certuary.server.lease import Lease
from certuary.services.ports import Clock, CrlRow, CrlStore, LeaseStore, Record, RecordStore
from certuary.services.publish_crl import CrlDeps, CrlIssuer, is_due, publish_crl
from certuary.status.documents import PublishedAuthority

_log = structlog.get_logger("certuary.jobs")

LEASE = "jobs"
_RELOAD_SECONDS = 2.0
"""Without a new revision: how often to look for a CRL that another process published."""

_DEBOUNCE_SECONDS = 0.5
"""Revocations come in groups; the first one waits this long for the others."""

_REST_FACTOR = 3.0
"""A CRL that took t seconds to make is followed by none for 3 t: at most a quarter of a core."""

_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlJobDeps:
    """`signer_of` gives the key of an authority record, None where this process does not hold its role.

    `clock` refuses with `ClockUnsafe` rather than give a wrong time. `steady` is a monotonic clock.
    """

    records: RecordStore
    crls: CrlStore
    leases: LeaseStore
    signer_of: Callable[[Record], SigningKey | None]
    clock: Clock
    steady: Callable[[], float]
    holder: str


class PublishedChanged(Protocol):
    def __call__(self, authorities: tuple[PublishedAuthority, ...]) -> None: ...


class _Watched:
    """An authority and what is known of its CRLs."""

    def __init__(self, record: Record, crl: CrlRow | None) -> None:
        self.record = record
        self.issuer = CrlIssuer.from_record(record)
        self.crl = crl
        self.covered = crl.covers_revision if crl else 0
        self.revoked_since: float | None = None
        self.rests_until = 0.0
        self.problem: str | None = None


class CrlJob:
    """Call `tick` every half second, from one thread. `DatabaseDown` leaves it, to be tried again."""

    def __init__(self, deps: CrlJobDeps, published: PublishedChanged) -> None:
        self._deps = deps
        self._published = published
        self._watched: dict[int, _Watched] = {}
        self._revision = -1
        self._loaded_at = float("-inf")
        self._lease = Lease(deps.leases, LEASE, deps.holder)

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(one.problem for one in self._watched.values() if one.problem)

    def tick(self) -> None:
        now = self._deps.steady()
        revision = self._deps.crls.current_revision()
        if revision != self._revision or now - self._loaded_at >= _RELOAD_SECONDS:
            self._load()
            self._revision, self._loaded_at = revision, now
        if not self._lease.is_held(now):
            return
        for watched in self._watched.values():
            self._look_after(watched, revision, now)

    def stop(self) -> None:
        """Let another node go on at once."""
        self._lease.release()

    def _load(self) -> None:
        records = self._deps.records.all("authority")
        changed = len(records) != len(self._watched)
        watched: dict[int, _Watched] = {}
        for record in records:
            assert isinstance(record.id, int)
            old = self._watched.get(record.id)
            watched[record.id] = old or _Watched(record, self._deps.crls.latest(record.id))
            changed |= old is None or self._refresh(old, record)
        self._watched = watched
        if changed:
            self._tell()

    def _refresh(self, watched: _Watched, record: Record) -> bool:
        changed = False
        if watched.record.revision != record.revision:
            watched.record, watched.issuer, changed = record, CrlIssuer.from_record(record), True
        known = watched.crl.number if watched.crl else None
        if self._deps.crls.latest_number(watched.issuer.id) != known:
            self._take(watched, self._deps.crls.latest(watched.issuer.id))
            changed = True
        return changed

    def _take(self, watched: _Watched, crl: CrlRow | None) -> None:
        watched.crl = crl
        watched.covered = max(watched.covered, crl.covers_revision if crl else 0)
        watched.revoked_since = None

    def _tell(self) -> None:
        self._published(tuple(_published(watched) for watched in self._watched.values()))

    def _look_after(self, watched: _Watched, revision: int, now: float) -> None:
        try:
            if not self._wants_crl(watched, revision, now):
                return
            signer = self._deps.signer_of(watched.record)
            if signer is None:
                watched.problem = _why_unsigned(watched)
                watched.rests_until = now + _RETRY_SECONDS
                return
            self._publish(watched, signer)
            watched.problem = None
        except DatabaseDown:
            raise
        except CertuaryError as problem:
            watched.problem = f"the CRL of {watched.issuer.name} cannot be made: {problem}"
            watched.rests_until = now + _RETRY_SECONDS
            _log.error("a CRL cannot be made", authority=watched.issuer.name, problem=str(problem))

    def _wants_crl(self, watched: _Watched, revision: int, now: float) -> bool:
        if now < watched.rests_until:
            return False
        if watched.revoked_since is None and revision > watched.covered:
            if self._deps.crls.has_revocation_after(watched.issuer.id, watched.covered):
                watched.revoked_since = now
            else:
                watched.covered = revision
        debounced = watched.revoked_since is not None and now - watched.revoked_since >= _DEBOUNCE_SECONDS
        return debounced or is_due(watched.crl, self._deps.clock.now())

    def _publish(self, watched: _Watched, signer: SigningKey) -> None:
        began = self._deps.steady()
        crl = publish_crl(watched.issuer, signer, CrlDeps(crls=self._deps.crls, clock=self._deps.clock))
        ended = self._deps.steady()
        watched.rests_until = ended + max(_DEBOUNCE_SECONDS, _REST_FACTOR * (ended - began))
        self._take(watched, crl)
        self._tell()
        _log.info(
            "CRL published", authority=watched.issuer.name, number=crl.number, seconds=round(ended - began, 3)
        )


def _why_unsigned(watched: _Watched) -> str | None:
    """A root's key is in no running process, on purpose; an issuing authority's should be."""
    if watched.record.values["kind"] == "root":
        return None
    return f"the CRL of {watched.issuer.name} cannot be made: its key does not open"


def _published(watched: _Watched) -> PublishedAuthority:
    certificate = watched.issuer.certificate
    values = watched.record.values
    certificate_der = values["certificate_der"]
    assert isinstance(certificate_der, bytes)
    return PublishedAuthority(
        id=watched.issuer.id,
        name=watched.issuer.name,
        kind=str(values["kind"]),
        certificate_der=certificate_der,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        crl_lifetime_seconds=int(watched.issuer.lifetime.total_seconds()),
        crl=watched.crl,
    )
