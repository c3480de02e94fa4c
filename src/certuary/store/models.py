"""The tables.

Rows that people change (authorities, profiles, labels, groups, applications, users) carry `revision`: the
value of the one-row table `config_revision` at their last change, so that a reload reads only what is newer.
They are never deleted, only retired (`removed_at`): certificates and audit events point at them.

The tables of the issuance path have no database-side foreign keys: each would cost a lookup per insert, and
the rows they name are never deleted. Their indexes hold what grows with time where that is possible (serial,
expiry, application); only the subject and the key hash land at random places.

Each model declares beside its columns how they are protected from whoever can write to the database.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from certuary.store.protection import Protection, free, sealed_record


def beginning(column: str, characters: int) -> models.Func:
    """For an index: `substr`, by which queries find it; Django's own `Substr` is another function in PostgreSQL."""
    return models.Func(models.F(column), models.Value(1), models.Value(characters), function="substr")


class ConfigRevision(models.Model):
    """One row, id 1: rises inside each transaction that changes a record.

    `service_is_writing` is true only inside such a transaction: by it the triggers on `api_properties` tell a
    change made by a command, which has its audit event, from one made by plain SQL, which they record.
    """

    protection: ClassVar = free(
        "only says when to read again; a wrong value costs readings, and what is read is verified",
        "id value service_is_writing",
    )

    id = models.SmallIntegerField(primary_key=True)
    value = models.BigIntegerField()
    service_is_writing = models.BooleanField(default=False)

    class Meta:
        db_table = "config_revision"


class Instance(models.Model):
    """One row, id 1: which installation this database belongs to."""

    protection: ClassVar = free(
        "read by `certuary init` alone, which pins it beside the keys; every seal and mark names the pinned one",
        "id uuid created_at",
    )

    id = models.SmallIntegerField(primary_key=True)
    uuid = models.CharField(max_length=36)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "instance"


class Record(models.Model):
    """What every record that people change has. `version` rises with each sealed change, and `seal` covers it."""

    revision = models.BigIntegerField(db_index=True)
    version = models.BigIntegerField(default=0, db_default=0)
    seal = models.TextField(default="", db_default="")
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class Authority(Record):
    protection: ClassVar = sealed_record(
        "name kind issuer_id key_name key_type subject serial certificate_der "
        "not_before not_after crl_lifetime_seconds"
    )

    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=16)  # root | issuing
    issuer = models.ForeignKey("self", null=True, on_delete=models.PROTECT)
    key_name = models.CharField(max_length=64)
    key_type = models.CharField(max_length=16)
    subject = models.TextField()
    serial = models.CharField(max_length=40)
    certificate_der = models.BinaryField()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    crl_lifetime_seconds = models.IntegerField()

    class Meta:
        db_table = "authorities"
        constraints: ClassVar = [models.UniqueConstraint(fields=["name"], name="authorities_name")]


class Group(Record):
    protection: ClassVar = sealed_record("code name")

    code = models.CharField(max_length=16)  # GRP_001
    name = models.CharField(max_length=64)

    class Meta:
        db_table = "groups"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["code"], name="groups_code"),
            models.UniqueConstraint(fields=["name"], name="groups_name"),
        ]


class Profile(Record):
    protection: ClassVar = sealed_record("name current_version")

    name = models.CharField(max_length=64)
    current_version = models.IntegerField()

    class Meta:
        db_table = "profiles"
        constraints: ClassVar = [models.UniqueConstraint(fields=["name"], name="profiles_name")]


class ProfileVersion(models.Model):
    """What a profile said at one version. Never changed: certificates point at it."""

    protection: ClassVar = Protection(
        marked="profile_id number toml created_at created_by mark",
        how="the current version is part of the profile's seal, too",
        free={"id": "part of the profile's seal while it is the current version; else only pointed at"},
    )

    profile = models.ForeignKey(Profile, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    toml = models.TextField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=64)
    mark = models.BinaryField(null=True)

    class Meta:
        db_table = "profile_versions"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["profile", "number"], name="profile_versions_number")
        ]


class Label(Record):
    protection: ClassVar = sealed_record("name profile_id")

    name = models.CharField(max_length=64)
    profile = models.ForeignKey(Profile, on_delete=models.PROTECT)

    class Meta:
        db_table = "labels"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(removed_at__isnull=True), name="labels_name"
            )
        ]


class Application(Record):
    protection: ClassVar = sealed_record(
        "name username password_hash group_id networks profile_ids labels subject_rule enabled expires_at"
    )

    name = models.CharField(max_length=64)
    username = models.CharField(max_length=128)
    password_hash = models.TextField()
    group = models.ForeignKey(Group, on_delete=models.PROTECT)
    networks = models.JSONField()  # ["10.0.0.0/24"], [] = any
    profile_ids = models.JSONField()  # [1, 2], [] = the default profile
    labels = models.JSONField()  # ["plant"], [] = the unlabelled endpoint
    subject_rule = models.TextField()  # text form of core.subject_rule, "" = any name
    enabled = models.BooleanField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "applications"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(removed_at__isnull=True), name="applications_name"
            ),
            models.UniqueConstraint(
                fields=["username"], condition=models.Q(removed_at__isnull=True), name="applications_username"
            ),
        ]


class Property(models.Model):
    """Edited by command or by plain SQL, so its columns are few and plain."""

    protection: ClassVar = free(
        "edited by plain SQL, which is the product: it can only choose among sealed things, and is audited",
        "property_key property_value status",
    )

    property_key = models.CharField(max_length=128, primary_key=True)
    property_value = models.TextField()
    status = models.CharField(max_length=16, default="Active", db_default="Active")

    class Meta:
        db_table = "api_properties"


class User(Record):
    protection: ClassVar = sealed_record(
        "name role group_ids password_hash enabled signing_key signing_certificate compromised_keys "
        "authenticators must_change_password"
    )

    name = models.CharField(max_length=64)
    role = models.CharField(max_length=32)  # ca-administrator | administrator | officer | auditor
    group_ids = models.JSONField()  # [1, 2]; of no meaning for a CA Administrator, who sees all
    password_hash = models.TextField()
    enabled = models.BooleanField()
    signing_key = models.TextField(default="", db_default="")  # wrapped under password and pepper
    signing_certificate = models.TextField(default="", db_default="")  # DER in base64, of the operator CA
    compromised_keys = models.JSONField(
        null=True
    )  # {"sha256 of a signing certificate": "since when, ISO 8601"}
    authenticators = models.JSONField(default=list, db_default=[])  # digests
    must_change_password = models.BooleanField(default=False, db_default=False)  # made up by `certuary init`

    class Meta:
        db_table = "users"
        constraints: ClassVar = [models.UniqueConstraint(fields=["name"], name="users_name")]


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
    source = models.CharField(max_length=16)  # est | tls
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
