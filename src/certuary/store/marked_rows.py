"""All rows that carry a mark, for the check of every one of them. Pages go by the last row's number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from certuary.errors import CertuaryError, DatabaseDown
from certuary.services.ports import CertificateRow, CrlRow, ProfileVersionRow, UnreadableRow
from certuary.store import certificate_rows
from certuary.store.crls import crl_value
from certuary.store.database import read
from certuary.store.models import Certificate, Crl, ProfileVersion
from certuary.store.plain import moment, number, octets, optional, text

M = TypeVar("M", bound=Model)
R = TypeVar("R")

_PAGE = 500


class DjangoMarkedRows:
    """Implements `services.ports.MarkedRows`."""

    def count_certificates(self) -> int:
        return read(Certificate.objects.count)

    def certificates(self) -> Iterator[CertificateRow | UnreadableRow]:
        return _pages(Certificate.objects.all(), certificate_rows.from_model, _PAGE)

    def crls(self) -> Iterator[CrlRow | UnreadableRow]:
        # One by one: a CRL may be several megabytes.
        return _pages(Crl.objects.all(), crl_value, 1)

    def profile_versions(self) -> Iterator[ProfileVersionRow | UnreadableRow]:
        return _pages(ProfileVersion.objects.all(), profile_version, _PAGE)


def _pages(rows: QuerySet[M], convert: Callable[[M], R], size: int) -> Iterator[R | UnreadableRow]:
    after = 0
    while numbers := read(partial(_numbers, rows, after, size)):
        yield from _read_page(rows, convert, numbers)
        after = numbers[-1]


def _read_page(
    rows: QuerySet[M], convert: Callable[[M], R], numbers: Sequence[int]
) -> list[R | UnreadableRow]:
    try:
        return read(lambda: [convert(row) for row in _within(rows, numbers)])
    except DatabaseDown:
        raise
    except (CertuaryError, ValueError, TypeError):
        # SQLite keeps any value in any column: find the row that holds one that cannot be read.
        return [_read_one(rows, convert, number) for number in numbers]


def _numbers(rows: QuerySet[M], after: int, size: int) -> list[int]:
    return list(rows.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:size])


def _within(rows: QuerySet[M], numbers: Sequence[int]) -> QuerySet[M]:
    return rows.filter(pk__gte=numbers[0], pk__lte=numbers[-1]).order_by("pk")


def _read_one(rows: QuerySet[M], convert: Callable[[M], R], number: int) -> R | UnreadableRow:
    try:
        return read(lambda: convert(rows.get(pk=number)))
    except DatabaseDown:
        raise
    except (CertuaryError, ValueError, TypeError):
        return UnreadableRow(id=number)


def profile_version(row: Any) -> ProfileVersionRow:
    return ProfileVersionRow(
        profile_id=number(row.profile_id),
        number=number(row.number),
        toml=text(row.toml),
        created_at=moment(row.created_at),
        created_by=text(row.created_by),
        mark=optional(octets, row.mark),
    )
