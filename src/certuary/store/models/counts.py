"""What the dashboard shows, counted in the background."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from certuary.store.protection import free


class DailyCount(models.Model):
    """How many certificates were issued, and requests refused, on a day (UTC): what the dashboard adds up.

    `profile_id` and `group_id` are 0 where there is none. A request that was refused has its rule as `reason`.
    """

    protection: ClassVar = free(
        "a number on the dashboard, counted anew from the rows themselves whenever it is doubted",
        "id day kind profile_id group_id reason count",
    )

    day = models.DateField()
    kind = models.CharField(max_length=16)  # issued | refused
    profile_id = models.BigIntegerField()
    group_id = models.BigIntegerField()
    reason = models.CharField(max_length=64)
    count = models.BigIntegerField()

    class Meta:
        db_table = "daily_counts"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["day", "kind", "profile_id", "group_id", "reason"], name="daily_counts_key"
            )
        ]


class ExpiryCount(models.Model):
    """How many certificates that nobody revoked expire on a day (UTC)."""

    protection: ClassVar = free(
        "a number on the dashboard, counted anew from the rows themselves whenever it is doubted",
        "id day group_id count",
    )

    day = models.DateField()
    group_id = models.BigIntegerField()
    count = models.BigIntegerField()

    class Meta:
        db_table = "expiry_counts"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["day", "group_id"], name="expiry_counts_key")
        ]


class CountedApplication(models.Model):
    """The group under which an application's certificates were counted: when it moved, they are counted anew."""

    protection: ClassVar = free(
        "tells when to count anew; a wrong row costs one count more or a number on the dashboard",
        "application_id group_id",
    )

    application_id = models.BigIntegerField(primary_key=True)
    group_id = models.BigIntegerField()

    class Meta:
        db_table = "counted_applications"


class CountingPosition(models.Model):
    """One row, id 1: up to where the counts go. Without it they are made anew from the first row on."""

    protection: ClassVar = free(
        "says where to go on counting for the dashboard",
        "id certificate_id enrolment_id revision is_complete counted_at",
    )

    id = models.SmallIntegerField(primary_key=True)
    certificate_id = models.BigIntegerField()
    enrolment_id = models.BigIntegerField()
    revision = models.BigIntegerField()
    is_complete = models.BooleanField()
    counted_at = models.DateTimeField()

    class Meta:
        db_table = "counting_position"
