"""What an enrolment leaves, and the CRLs."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from certuary.store.models.record import Application, Authority, ProfileVersion
from certuary.store.protection import Protection, free


def beginning(column: str, characters: int) -> models.Func:
    """For an index: `substr`, by which queries find it; Django's own `Substr` is another function in PostgreSQL."""
    return models.Func(models.F(column), models.Value(1), models.Value(characters), function="substr")


class Certificate(models.Model):
    protection: ClassVar = Protection(
        marked=(
            "authority_id serial profile_version_id application_id subject_key "
            "alternative_names key_hash not_before not_after source replaces issued_at "
            "revoked_at revocation_reason revoked_revision mark"
        ),
        how="a revocation is also on the signed CRL, from which nothing vanishes before it expires",
        free={
            "id": "only orders pages",
            "subject": "for people to read; what is compared is subject_key",
            "der": "signed by its authority; `certuary seal verify` compares it with the marked columns",
        },
    )

    authority = models.ForeignKey(Authority, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    serial = models.CharField(max_length=40)
    profile_version = models.ForeignKey(
        ProfileVersion, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    application = models.ForeignKey(
        Application, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    subject = models.TextField()
    subject_key = models.TextField()  # the subject folded for comparison and prefix search
    alternative_names = models.TextField()
    key_hash = models.CharField(max_length=64)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    der = models.BinaryField()
    source = models.CharField(max_length=16)  # est | tls | application
    replaces = models.CharField(max_length=40, null=True)
    issued_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revocation_reason = models.CharField(max_length=32, null=True)
    revoked_revision = models.BigIntegerField(null=True)
    mark = models.BinaryField(null=True)

    class Meta:
        db_table = "certificates"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["serial", "authority"], name="certificates_serial")
        ]
        indexes: ClassVar = [
            models.Index(fields=["application", "id"], name="certificates_application"),
            # Grows at one place per profile in use, so an enrolment pays little for it.
            models.Index(fields=["profile_version", "id"], name="certificates_profile"),
            # PostgreSQL bounds what an index entry holds, hence the beginnings. A fleet may have its names in the
            # extension only: with an empty subject the next index is the one that tells devices apart.
            models.Index(beginning("subject_key", 300), "id", name="certificates_subject"),
            models.Index(
                beginning("alternative_names", 200),
                "id",
                condition=models.Q(subject_key=""),
                name="certificates_names",
            ),
            models.Index(fields=["key_hash"], name="certificates_key"),
            models.Index(fields=["not_after", "id"], name="certificates_expiry"),
            # Few: what speaks for an application, to be revoked with its password.
            models.Index(
                fields=["application"],
                condition=models.Q(source="application"),
                name="certificates_applications",
            ),
            # Also what says revoked without a revision: plain SQL may have forged it.
            models.Index(
                fields=["revoked_revision", "revoked_at"],
                condition=models.Q(revoked_revision__isnull=False) | models.Q(revoked_at__isnull=False),
                name="certificates_revocations",
            ),
        ]


class Enrolment(models.Model):
    protection: ClassVar = free(
        "history for people; what counts of it is in the audit chain, and no decision is taken on it",
        (
            "id request_id at operation outcome reason application_id profile_version_id "
            "label address serial csr_der"
        ),
    )

    request_id = models.CharField(max_length=32)
    at = models.DateTimeField()
    operation = models.CharField(max_length=16)
    outcome = models.CharField(max_length=16)
    reason = models.CharField(max_length=64)
    application = models.ForeignKey(
        Application, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    profile_version = models.ForeignKey(
        ProfileVersion, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    label = models.CharField(max_length=64)
    address = models.CharField(max_length=45)
    serial = models.CharField(max_length=40, null=True)
    csr_der = models.BinaryField(null=True)

    class Meta:
        db_table = "enrolments"
        indexes: ClassVar = [
            models.Index(fields=["request_id"], name="enrolments_request"),
            models.Index(fields=["application", "id"], name="enrolments_application"),
            models.Index(
                fields=["at", "id"], condition=models.Q(outcome="refused"), name="enrolments_refused"
            ),
            models.Index(
                fields=["reason", "at", "id"], condition=models.Q(outcome="refused"), name="refusals_rule"
            ),
            models.Index(
                fields=["application", "at", "id"],
                condition=models.Q(outcome="refused"),
                name="refusals_application",
            ),
        ]


class Crl(models.Model):
    protection: ClassVar = Protection(
        marked="authority_id number covers_revision this_update next_update der mark",
        how="the list itself is also signed by its authority",
        free={"id": "only a key"},
    )

    authority = models.ForeignKey(Authority, on_delete=models.PROTECT)
    number = models.BigIntegerField()
    covers_revision = models.BigIntegerField()  # holds every revocation up to this config_revision
    this_update = models.DateTimeField()
    next_update = models.DateTimeField()
    der = models.BinaryField()
    mark = models.BinaryField(null=True)

    class Meta:
        db_table = "crls"
        constraints: ClassVar = [models.UniqueConstraint(fields=["authority", "number"], name="crls_number")]
