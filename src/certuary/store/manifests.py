"""The manifest as rows: one head, and the parts that it names."""

from __future__ import annotations

from certuary.services.ports import ManifestPartRow, ManifestRow
from certuary.store.models import Manifest, ManifestPart
from certuary.store.plain import octets

_ID = 1


def head() -> ManifestRow | None:
    row = Manifest.objects.filter(id=_ID).first()
    return None if row is None else ManifestRow(body=str(row.body), signature=octets(row.signature))


def part(kind: str, number: int) -> ManifestPartRow | None:
    row = ManifestPart.objects.filter(kind=kind, number=number).first()
    return None if row is None else _part(row)


def parts_since(revision: int) -> tuple[ManifestPartRow, ...]:
    rows = ManifestPart.objects.filter(revision__gt=revision).order_by("id")
    return tuple(_part(row) for row in rows)


def part_names() -> frozenset[tuple[str, int]]:
    return frozenset(ManifestPart.objects.values_list("kind", "number"))


def put_head(row: ManifestRow) -> None:
    Manifest.objects.update_or_create(id=_ID, defaults={"body": row.body, "signature": row.signature})


def put_part(row: ManifestPartRow, revision: int) -> None:
    ManifestPart.objects.update_or_create(
        kind=row.kind, number=row.number, defaults={"body": row.body, "revision": revision}
    )


def touch_parts(revision: int) -> None:
    ManifestPart.objects.update(revision=revision)


def _part(row: ManifestPart) -> ManifestPartRow:
    return ManifestPartRow(kind=row.kind, number=row.number, body=str(row.body))
