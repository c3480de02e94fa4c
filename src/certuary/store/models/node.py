"""Who runs the jobs, and which nodes there are."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from certuary.store.protection import free


class Lease(models.Model):
    """Who runs the background jobs, until when."""

    protection: ClassVar = free(
        "who runs the jobs; a wrong one delays them, and they run on each node",
        "name holder expires_at",
    )

    name = models.CharField(max_length=32, primary_key=True)
    holder = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "leases"


class Node(models.Model):
    """What each node's status process said of it last, so that a portal on any node shows all of them."""

    protection: ClassVar = free(
        "shown to people; each node's own `/readyz` is what load balancers ask",
        "name hostname version ready reasons warnings started_at seen_at",
    )

    name = models.CharField(max_length=32, primary_key=True)
    hostname = models.CharField(max_length=253)
    version = models.CharField(max_length=32)
    ready = models.BooleanField()
    reasons = models.JSONField()  # ["est: no EST worker answers"]
    warnings = models.JSONField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "nodes"
