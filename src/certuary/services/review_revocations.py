"""Review revocations: what the next CRL lists, and which records were altered behind the server's back.

What is new since the CRL that is believed must hold its mark. What that CRL lists stays, as it stands there, until
its certificate has expired by a record that holds its mark: a revocation is never erased.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from certuary.core.crl import listed_entries
from certuary.core.mark import Marker
from certuary.errors import InvalidMark
from certuary.services.ports import CertificateRow, CrlRow, CrlStore, RevokedEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Altered:
    """A certificate whose record was altered in the database, and what that does to the CRL."""

    serial: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """`kept`: entries of the believed CRL, encoded as they stand there."""

    kept: tuple[bytes, ...]
    new: tuple[RevokedEntry, ...]
    altered: tuple[Altered, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDeps:
    crls: CrlStore
    marker: Marker


def review_revocations(
    authority_id: int, believed: CrlRow | None, *, since: datetime, deps: ReviewDeps
) -> Review:
    """`since`: what expired before it may leave the CRL. Only rows that make a difference are read whole."""
    listed = {} if believed is None else dict(listed_entries(believed.der))
    revoked = set(deps.crls.revoked_serials(authority_id, since=since))
    new, forged = _new_entries(authority_id, sorted(revoked - listed.keys()), deps)
    expired, erased = _sort_missing(authority_id, sorted(listed.keys() - revoked), since, deps)
    return Review(
        kept=tuple(entry for serial, entry in listed.items() if serial not in expired),
        new=tuple(new),
        altered=(*erased, *forged),
    )


def _new_entries(
    authority_id: int, serials: list[int], deps: ReviewDeps
) -> tuple[list[RevokedEntry], list[Altered]]:
    entries, forged = [], []
    for row in deps.crls.certificates(authority_id, serials):
        problem = _problem(row, deps.marker)
        if problem is not None:
            forged.append(
                Altered(serial=row.serial, reason=f"{problem}; it says revoked and is left off the CRL")
            )
        elif row.revoked_at is not None:
            reason = row.revocation_reason or "unspecified"
            entries.append(RevokedEntry(serial=row.serial, revoked_at=row.revoked_at, reason=reason))
    entries.sort(key=lambda entry: entry.revoked_at)
    return entries, forged


def _sort_missing(
    authority_id: int, serials: Iterable[int], since: datetime, deps: ReviewDeps
) -> tuple[set[int], list[Altered]]:
    """Of what the believed CRL lists and the database does not: what has expired, and what was erased."""
    missing = list(serials)
    rows = {row.serial: row for row in deps.crls.certificates(authority_id, missing)}
    expired: set[int] = set()
    erased = []
    for serial in missing:
        reason = _why_erased(serial, rows, deps.marker)
        if reason is not None:
            erased.append(Altered(serial=serial, reason=f"{reason}; the CRL keeps its revocation"))
        elif _is_over(rows[serial], since):
            expired.add(serial)
    return expired, erased


def _why_erased(serial: int, rows: Mapping[int, CertificateRow], marker: Marker) -> str | None:
    row = rows.get(serial)
    if row is None:
        return "its record is gone"
    problem = _problem(row, marker)
    if problem is None and row.revoked_at is None:
        return "its record was put back to what it was before it was revoked"
    return problem


def _is_over(row: CertificateRow, since: datetime) -> bool:
    return row.not_after < since and (row.revoked_at is None or row.revoked_at < since)


def _problem(row: CertificateRow, marker: Marker) -> str | None:
    try:
        marker.check_certificate(row)
    except InvalidMark:
        return "its record has no mark" if row.mark is None else "its record was altered"
    return None
