"""The two-person rule: which kinds of change are under it, and the changes that wait for a second person."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from certuary.store.models.record import Record
from certuary.store.protection import sealed_record


class SecuritySwitch(Record):
    """One whose row is gone, or whose seal does not hold, counts as on."""

    protection: ClassVar = sealed_record("name enabled")

    name = models.CharField(max_length=64)  # two-persons.application
    enabled = models.BooleanField()

    class Meta:
        db_table = "security_switches"
        constraints: ClassVar = [models.UniqueConstraint(fields=["name"], name="security_switches_name")]


class Approval(Record):
    """A change that one person signed. It is retired when somebody decides: then `seal` is the decider's, and
    `request_seal` keeps the seal under which it waited."""

    protection: ClassVar = sealed_record(
        "name kind change title content shown requester requester_id group_ids least_role expires_at state decided_by "
        "decided_at reason request_seal"
    )

    name = models.CharField(max_length=16)  # APR-1f0c2a9b
    kind = models.CharField(max_length=16)  # a key of services.two_persons.RULES
    change = models.CharField(max_length=48)  # what the portal calls the change: "application-new"
    title = models.TextField()
    content = models.TextField()  # JSON: what was typed, a password as its hash
    shown = models.TextField()  # JSON: what Verify and Confirm showed; both persons sign its SHA-256
    requester = models.CharField(max_length=64)
    requester_id = models.BigIntegerField()
    group_ids = models.JSONField()  # of what is changed: [] for what belongs to no group
    least_role = models.CharField(max_length=32, default="", db_default="")  # "": a CA Administrator
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=16)  # waiting | approved | rejected | withdrawn
    decided_by = models.CharField(max_length=64)
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField()
    request_seal = models.TextField()

    class Meta:
        db_table = "approvals"
        constraints: ClassVar = [models.UniqueConstraint(fields=["name"], name="approvals_name")]
        indexes: ClassVar = [models.Index(fields=["removed_at", "id"], name="approvals_waiting")]
