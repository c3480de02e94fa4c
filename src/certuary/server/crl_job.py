"""Keep every authority's CRL fresh: by time when half its lifetime is over, and soon after a revocation.

One process at a time does it, under a lease. All of them read what is published and serve it from memory, if it
holds its mark. The one with the lease also looks, once a second, whether revocations were erased or forged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from certuary.core.certificate import SigningKey
from certuary.core.mark import Marker
from certuary.errors import CertuaryError, DatabaseDown, InvalidSeal
from certuary.server.altered_rows import AlteredRows
from certuary.server.lease import Lease
from certuary.services.believed_crl import is_still_altered, newest_believed_crl
from certuary.services.ports import Clock, CrlRow, CrlStore, Record, RecordStore, RevocationsSeen
from certuary.services.publish_crl import CrlDeps, CrlIssuer, is_due, publish_crl, review_publication
from certuary.services.review_revocations import Altered, ReviewDeps
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

_COMPARE_SECONDS = 1.0
"""How often to compare the numbers that tell of an erased or forged revocation."""

_REVIEW_AGAIN_SECONDS = 30.0
"""While something is found altered: how often to look whether it was put right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlJobDeps:
    """`signer_of` gives the key of an authority record, None where this process does not hold its role.

    `clock` refuses with `ClockUnsafe` rather than give a wrong time. `steady` is a monotonic clock.
    """

    records: RecordStore
    crls: CrlStore
    lease: Lease
    signer_of: Callable[[Record], SigningKey | None]
    clock: Clock
    steady: Callable[[], float]
    marker: Marker


class PublishedChanged(Protocol):
    def __call__(self, authorities: tuple[PublishedAuthority, ...]) -> None: ...


class _Watched:
    """An authority and what is known of its CRLs."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.issuer = CrlIssuer.from_record(record)
        self.crl: CrlRow | None = None
        self.newest_number: int | None = None
        self.covered = 0
        self.revoked_since: float | None = None
        self.rests_until = 0.0
        self.review_at: float | None = None
        self.reviews_rest_until = 0.0
        self.problem: str | None = None

    @property
    def is_superseded_in_database(self) -> bool:
        """What the database has as the newest is not what is believed: others that start need a good one."""
        return self.crl is not None and self.newest_number != self.crl.number


class CrlJob:
    """Call `tick` every half second, from one thread. `DatabaseDown` leaves it, to be tried again."""

    def __init__(self, deps: CrlJobDeps, published: PublishedChanged) -> None:
        self._deps = deps
        self._published = published
        self._watched: dict[int, _Watched] = {}
        self._revision = -1
        self._loaded_at = float("-inf")
        self._seen: RevocationsSeen | None = None
        self._compare_at = float("-inf")
        self._altered = AlteredRows(deps.records)

    @property
    def problems(self) -> tuple[str, ...]:
        own = tuple(one.problem for one in self._watched.values() if one.problem)
        return (*own, *self._altered.problems)

    def tick(self) -> None:
        now = self._deps.steady()
        revision = self._deps.crls.current_revision()
        if revision != self._revision or now - self._loaded_at >= _RELOAD_SECONDS:
            self._load()
            self._revision, self._loaded_at = revision, now
        if not self._deps.lease.is_held(now):
            self._leave_revocations_to_the_holder()
            return
        self._compare_revocations(now)
        for watched in self._watched.values():
            self._look_after(watched, revision, now)
        self._altered.audit(self._deps.clock)

    def stop(self) -> None:
        """Let another node go on at once."""
        self._deps.lease.release()

    def _load(self) -> None:
        try:
            records = self._deps.records.all("authority")
        except InvalidSeal:
            return  # what is published stays; the seal job says what is wrong with the manifest
        # Authorities are never removed: one that is not among the believed was altered, and its list stays, too.
        watched, changed = dict(self._watched), False
        for record in records:
            assert isinstance(record.id, int)
            known = self._watched.get(record.id)
            one = watched[record.id] = known or _Watched(record)
            changed |= self._refresh(one, record) or known is None
        self._watched = watched
        if changed:
            self._tell()

    def _refresh(self, watched: _Watched, record: Record) -> bool:
        changed = False
        if watched.record.revision != record.revision:
            watched.record, watched.issuer, changed = record, CrlIssuer.from_record(record), True
        newest = self._deps.crls.latest_number(watched.issuer.id)
        if newest != watched.newest_number:
            changed |= self._read_newest(watched)
            watched.newest_number = newest
        return changed

    def _read_newest(self, watched: _Watched) -> bool:
        """Take what is newer than what is shown, if it is believed; never what is older."""
        found = newest_believed_crl(self._deps.crls, watched.issuer.id, self._deps.marker)
        self._altered.find_crls(watched.issuer, found.altered)
        if found.crl is None or (watched.crl is not None and found.crl.number <= watched.crl.number):
            return False
        self._take(watched, found.crl)
        return True

    def _take(self, watched: _Watched, crl: CrlRow) -> None:
        watched.crl = crl
        watched.covered = max(watched.covered, crl.covers_revision)
        watched.revoked_since = None

    def _tell(self) -> None:
        self._published(tuple(_published(watched) for watched in self._watched.values()))

    def _compare_revocations(self, now: float) -> None:
        """An erased or forged revocation moves these numbers, and need not raise the revision."""
        if now < self._compare_at:
            return
        self._compare_at = now + _COMPARE_SECONDS
        seen = self._deps.crls.revocations_seen()
        if seen != self._seen:
            self._seen = seen
            for watched in self._watched.values():
                watched.review_at = now

    def _leave_revocations_to_the_holder(self) -> None:
        self._seen, self._compare_at = None, float("-inf")
        self._altered.forget_certificates()

    def _look_after(self, watched: _Watched, revision: int, now: float) -> None:
        try:
            if not self._wants_crl(watched, revision, now):
                self._review_when_due(watched, now)
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
        if debounced or watched.is_superseded_in_database:
            return True
        return is_due(watched.crl, self._deps.clock.now())

    def _review_when_due(self, watched: _Watched, now: float) -> None:
        if watched.review_at is None or now < max(watched.review_at, watched.reviews_rest_until):
            return
        began = self._deps.steady()
        review = review_publication(
            watched.issuer, watched.crl, ReviewDeps(crls=self._deps.crls, marker=self._deps.marker)
        )
        ended = self._deps.steady()
        watched.reviews_rest_until = ended + _REST_FACTOR * (ended - began)
        self._note_altered(watched, review.altered)
        if review.new and watched.revoked_since is None:
            # Below the revision that the list covers: made after plain SQL had set the revision back.
            watched.revoked_since = now

    def _note_altered(self, watched: _Watched, altered: Sequence[Altered]) -> None:
        self._altered.find_certificates(watched.issuer, altered)
        self._altered.drop_crls_put_right(watched.issuer, self._is_still_altered)
        again = self._altered.concerns(watched.issuer)
        watched.review_at = self._deps.steady() + _REVIEW_AGAIN_SECONDS if again else None

    def _is_still_altered(self, issuer: CrlIssuer, number: int) -> bool:
        return is_still_altered(self._deps.crls, issuer.id, number, self._deps.marker)

    def _publish(self, watched: _Watched, signer: SigningKey) -> None:
        began = self._deps.steady()
        published = publish_crl(
            watched.issuer,
            signer,
            CrlDeps(crls=self._deps.crls, clock=self._deps.clock, marker=self._deps.marker),
            believed=watched.crl,
        )
        crl = published.crl
        ended = self._deps.steady()
        watched.rests_until = ended + max(_DEBOUNCE_SECONDS, _REST_FACTOR * (ended - began))
        self._take(watched, crl)
        watched.newest_number = crl.number
        self._tell()
        self._note_altered(watched, published.altered)
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
