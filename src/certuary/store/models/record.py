"""What people change, and the number by which processes learn of a change."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from certuary.store.protection import Protection, free, sealed_record


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
        "authenticators must_change_password identities"
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
    must_change_password = models.BooleanField(default=False, db_default=False)  # made up for the user
    identities = models.JSONField(default=list, db_default=[])  # of `core.identity`

    class Meta:
        db_table = "users"
        constraints: ClassVar = [models.UniqueConstraint(fields=["name"], name="users_name")]
