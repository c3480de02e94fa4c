"""The audit log with what chains and signs it, and changes by plain SQL on their way into it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from certuary.store.protection import Protection, free


class AuditEvent(models.Model):
    """An event, and its place in the chain of its stream: `hash` covers the event and `previous`, the hash before."""

    protection: ClassVar = Protection(
        marked=("stream seq previous hash at kind actor_kind actor target request_id address detail"),
        how="the chain of the stream, under the stream's own key",
        free={"id": "only orders pages; the order that counts is the chain's"},
    )

    stream = models.CharField(max_length=32, default="", db_default="")
    seq = models.BigIntegerField(null=True)
    previous = models.BinaryField(null=True)
    hash = models.BinaryField(null=True)
    at = models.DateTimeField()
    kind = models.CharField(max_length=48)
    actor_kind = models.CharField(max_length=16)
    actor = models.CharField(max_length=128)
    target = models.CharField(max_length=128)
    request_id = models.CharField(max_length=32)
    address = models.CharField(max_length=45)
    detail = models.TextField()

    class Meta:
        db_table = "audit_events"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["stream", "seq"], name="audit_events_stream")
        ]
        indexes: ClassVar = [
            models.Index(fields=["request_id"], name="audit_events_request"),
            # The history of a record. Enrolments, which are most events, have no part in it.
            models.Index(
                fields=["target", "id"],
                condition=~models.Q(actor_kind="application"),
                name="audit_events_about",
            ),
        ]


class AuditStream(models.Model):
    """Which process writes, or wrote, a stream: where a successor finds what it closes. Believed for nothing else."""

    protection: ClassVar = free(
        "only says where a successor finds what it closes",
        "stream node process opened_at closed_by",
    )

    stream = models.CharField(max_length=32, primary_key=True)
    node = models.CharField(max_length=32)
    process = models.CharField(max_length=32)  # est-0, status
    opened_at = models.DateTimeField()
    closed_by = models.CharField(max_length=32, default="", db_default="")

    class Meta:
        db_table = "audit_streams"
        indexes: ClassVar = [models.Index(fields=["node", "process"], name="audit_streams_process")]


class AuditCheckpoint(models.Model):
    """The heads of all streams at one moment, signed. Also appended to a file of each node."""

    protection: ClassVar = Protection(
        marked="number at body signature",
        how="a signature of the checkpoint key; number and time are part of the body",
    )

    number = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    body = models.TextField()
    signature = models.BinaryField()

    class Meta:
        db_table = "audit_checkpoints"


class PropertyChange(models.Model):
    """A property changed by plain SQL, written by the triggers; one node turns it into one audit event."""

    protection: ClassVar = free(
        "waits for half a second to become an audit event, which is chained",
        "id at operation property_key before after database_user",
    )

    at = models.DateTimeField()
    operation = models.CharField(max_length=16)  # added | changed | removed
    property_key = models.TextField()
    before = models.TextField(null=True)  # JSON of value and status
    after = models.TextField(null=True)
    database_user = models.TextField(default="", db_default="")

    class Meta:
        db_table = "property_changes"
