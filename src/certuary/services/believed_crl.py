"""Find the newest CRL of an authority that holds its mark, and the newer ones that do not."""

from __future__ import annotations

from dataclasses import dataclass

from certuary.core.mark import Marker
from certuary.errors import InvalidMark
from certuary.services.ports import CrlRow, CrlStore


@dataclass(frozen=True, slots=True, kw_only=True)
class BelievedCrl:
    """`altered`: the numbers of the rows above it that were passed over."""

    crl: CrlRow | None
    altered: tuple[int, ...]


def newest_believed_crl(crls: CrlStore, authority_id: int, marker: Marker) -> BelievedCrl:
    altered: list[int] = []
    row = crls.latest(authority_id)
    while row is not None and not holds_mark(row, marker):
        altered.append(row.number)
        row = crls.latest(authority_id, below=row.number)
    return BelievedCrl(crl=row, altered=tuple(altered))


def is_still_altered(crls: CrlStore, authority_id: int, number: int, marker: Marker) -> bool:
    """Whether the row of that number is there and does not hold its mark."""
    row = crls.latest(authority_id, below=number + 1)
    return row is not None and row.number == number and not holds_mark(row, marker)


def holds_mark(row: CrlRow, marker: Marker) -> bool:
    try:
        marker.check_crl(row)
    except InvalidMark:
        return False
    return True
