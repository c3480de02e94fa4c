"""Revocations, the CRLs that tell of them, and the rows that carry marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import InitVar, dataclass
from datetime import datetime
from typing import Protocol

from certuary.core.mark import Marker
from certuary.services.ports.audit import AuditRow
from certuary.services.ports.issuance import CertificateRow
from certuary.services.ports.records import ProfileVersionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedEntry:
    """One line of a CRL."""

    serial: int
    revoked_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlRow:
    """A published CRL. It holds every revocation with a revision up to `covers_revision`.

    Made with a `marker` it carries its mark.
    """

    authority_id: int
    number: int
    covers_revision: int
    this_update: datetime
    next_update: datetime
    der: bytes
    mark: bytes | None = None
    marker: InitVar[Marker | None] = None

    def __post_init__(self, marker: Marker | None) -> None:
        if marker is not None:
            object.__setattr__(self, "mark", marker.crl(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationsSeen:
    """Numbers that move when a revocation is made, erased or forged; cheap, whatever the number of certificates."""

    rows: int
    revoked: int
    sum_of_revisions: int
    newest_revision: int


class CrlStore(Protocol):
    """CRLs and what goes into them. Blocking; a failure of the database is `DatabaseDown`."""

    def latest(self, authority_id: int, *, below: int | None = None) -> CrlRow | None:
        """The one with the highest number (below a number). As the database has it: its mark may not hold."""
        ...

    def latest_number(self, authority_id: int) -> int | None:
        """The newest CRL's number, without reading the CRL."""
        ...

    def current_revision(self) -> int:
        """Every change with a revision up to this one is visible to the next read."""
        ...

    def has_revocation_after(self, authority_id: int, revision: int) -> bool: ...

    def revocations_seen(self) -> RevocationsSeen:
        """Of all authorities."""
        ...

    def revoked_serials(self, authority_id: int, *, since: datetime) -> Iterable[int]:
        """Of what the database says is revoked and expires, or was revoked, at or after `since`. Streamed."""
        ...

    def certificates(self, authority_id: int, serials: Sequence[int]) -> Iterator[CertificateRow]:
        """Those that are there, whole, in no order. Streamed."""
        ...

    def add(self, row: CrlRow, audit: AuditRow) -> None:
        """In one transaction. `AlreadyExists` when another node has published that number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableRow:
    """A row with a value of another type than its column's, as SQLite lets plain SQL write one."""

    id: int


class MarkedRows(Protocol):
    """All rows that carry a mark, as the database has them, in pages: the memory they take does not grow.

    Blocking; a failure of the database is `DatabaseDown`.
    """

    def count_certificates(self) -> int:
        """About how many there are, to tell how far a long look has come."""
        ...

    def certificates(self) -> Iterator[CertificateRow | UnreadableRow]: ...

    def crls(self) -> Iterator[CrlRow | UnreadableRow]: ...

    def profile_versions(self) -> Iterator[ProfileVersionRow | UnreadableRow]: ...
