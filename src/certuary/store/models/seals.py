"""What vouches for the sealed records as a whole, and what was found broken."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from certuary.store.protection import Protection, free


class Manifest(models.Model):
    """One row, id 1: the digests of the manifest's parts and its number, signed."""

    protection: ClassVar = Protection(
        marked="body signature",
        how="a signature of the manifest key, and the high-water mark of each node",
        free={"id": "always 1"},
    )

    id = models.SmallIntegerField(primary_key=True)
    body = models.TextField()
    signature = models.BinaryField()

    class Meta:
        db_table = "manifest"


class ManifestPart(models.Model):
    """Version and digest of up to 256 sealed records: those of one kind whose numbers begin alike."""

    protection: ClassVar = Protection(
        marked="kind number body",
        how="its digest is in the signed head",
        free={"id": "only a key", "revision": "tells processes what to read again"},
    )

    kind = models.CharField(max_length=16)
    number = models.BigIntegerField()
    revision = models.BigIntegerField(db_index=True)
    body = models.TextField()

    class Meta:
        db_table = "manifest_parts"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "number"], name="manifest_parts_number")
        ]


class RecordProblem(models.Model):
    """A record found broken: so that its audit event is written once."""

    protection: ClassVar = free(
        "keeps an audit event from being written twice; what is broken is found anew at each look",
        "id kind record reason found_at",
    )

    kind = models.CharField(max_length=16)
    record = models.CharField(max_length=64)
    reason = models.TextField()
    found_at = models.DateTimeField()

    class Meta:
        db_table = "record_problems"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "record"], name="record_problems_record")
        ]
