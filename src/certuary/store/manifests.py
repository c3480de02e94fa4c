"""The manifest as rows: one head, and the parts that it names."""

from __future__ import annotations

from certuary.services.ports import ManifestPartRow, ManifestRow
from certuary.store.models import Manifest, ManifestPart

_ID = 1


def head() -> ManifestRow | None:
    row = Manifest.objects.filter(id=_ID).first()
    return None if row is None else ManifestRow(body=row.body, signature=bytes(row.signature))


def part(kind: str, number: int) -> ManifestPartRow | None:
    row = ManifestPart.objects.filter(kind=kind, number=number).first()
    return None if row is None else ManifestPartRow(kind=row.kind, number=row.number, body=row.body)


def parts_since(revision: int) -> tuple[ManifestPartRow, ...]:
    rows = ManifestPart.objects.filter(revision__gt=revision).order_by("id")
    return tuple(ManifestPartRow(kind=row.kind, number=row.number, body=row.body) for row in rows)


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
