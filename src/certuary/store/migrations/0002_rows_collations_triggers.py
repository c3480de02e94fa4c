"""The rows that exist from the start, and what the two databases need beyond tables.

Names, serials and hashes compare byte by byte in both: SQLite does so by itself, PostgreSQL by its
collation "C", which is also the cheapest to keep an index in.

Properties may be changed by plain SQL. Triggers write the audit event of such a change in its own
transaction, so that it is recorded once, whichever node is up, and never without the change.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import ClassVar

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_BYTEWISE = {
    "certificates": ("serial", "subject_key", "key_hash", "replaces"),
    "enrolments": ("request_id", "serial"),
    "audit_events": ("request_id",),
}

_SQLITE_TRIGGER = """
CREATE TRIGGER api_properties_{event} AFTER {event} ON api_properties
WHEN (SELECT NOT service_is_writing FROM config_revision WHERE id = 1)
BEGIN
  INSERT INTO audit_events (at, kind, actor_kind, actor, target, request_id, address, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), 'property.{kind}', 'sql', 'direct SQL',
          substr('property:' || {key}, 1, 128), '', '',
          json_object('before', {before}, 'after', {after}));
END
"""

_POSTGRESQL_FUNCTION = """
CREATE FUNCTION api_properties_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT service_is_writing FROM config_revision WHERE id = 1) THEN
    RETURN NULL;
  END IF;
  INSERT INTO audit_events (at, kind, actor_kind, actor, target, request_id, address, detail)
  VALUES (
    clock_timestamp(),
    CASE TG_OP
      WHEN 'INSERT' THEN 'property.added' WHEN 'UPDATE' THEN 'property.changed' ELSE 'property.removed'
    END,
    'sql', 'direct SQL',
    left('property:' || CASE WHEN TG_OP = 'DELETE' THEN OLD.property_key ELSE NEW.property_key END, 128),
    '', '',
    jsonb_build_object(
      'before', CASE WHEN TG_OP <> 'INSERT'
                THEN jsonb_build_object('property_value', OLD.property_value, 'status', OLD.status) END,
      'after', CASE WHEN TG_OP <> 'DELETE'
               THEN jsonb_build_object('property_value', NEW.property_value, 'status', NEW.status) END,
      'database_user', session_user)::text);
  RETURN NULL;
END
$$
"""

_POSTGRESQL_TRIGGER = """
CREATE TRIGGER api_properties_audit AFTER INSERT OR UPDATE OR DELETE ON api_properties
FOR EACH ROW EXECUTE FUNCTION api_properties_audit()
"""


def add_first_rows(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    # From 1 on: who asks for what is newer than 0 has read nothing yet.
    apps.get_model("store", "ConfigRevision").objects.create(id=1, value=1)
    apps.get_model("store", "Instance").objects.create(
        id=1, uuid=str(uuid.uuid4()), created_at=datetime.now(UTC)
    )


def compare_bytewise(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor != "postgresql":
        return
    for table, columns in _BYTEWISE.items():
        changes = ", ".join(f'ALTER {column} TYPE text COLLATE "C"' for column in columns)
        editor.execute(f"ALTER TABLE {table} {changes}", None)


def audit_direct_sql(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(_POSTGRESQL_FUNCTION, None)
        editor.execute(_POSTGRESQL_TRIGGER, None)
        return
    old, new = (
        f"json_object('property_value', {row}.property_value, 'status', {row}.status)"
        for row in ("OLD", "NEW")
    )
    for event, kind, key, before, after in (
        ("INSERT", "added", "NEW.property_key", "NULL", new),
        ("UPDATE", "changed", "NEW.property_key", old, new),
        ("DELETE", "removed", "OLD.property_key", old, "NULL"),
    ):
        statement = _SQLITE_TRIGGER.format(event=event, kind=kind, key=key, before=before, after=after)
        editor.execute(statement, None)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0001_initial")]
    operations: ClassVar = [
        migrations.RunPython(add_first_rows, migrations.RunPython.noop),
        migrations.RunPython(compare_bytewise, migrations.RunPython.noop),
        # An index on an expression keeps the collation that its column had when it was made.
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(
                models.Func(models.F("subject_key"), models.Value(1), models.Value(300), function="substr"),
                models.F("id"),
                name="certificates_subject",
            ),
        ),
        migrations.RunPython(audit_direct_sql, migrations.RunPython.noop),
    ]
