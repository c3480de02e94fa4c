"""Properties changed by plain SQL are recorded by triggers, and turned into audit events by one node.

Until now the triggers wrote the events. An event belongs to a stream, whose key no trigger has.
"""

from __future__ import annotations

from typing import ClassVar

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_SQLITE_TRIGGER = """
CREATE TRIGGER api_properties_{event} AFTER {event} ON api_properties
WHEN (SELECT NOT service_is_writing FROM config_revision WHERE id = 1)
BEGIN
  INSERT INTO property_changes (at, operation, property_key, before, after)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), '{operation}', {key}, {before}, {after});
END
"""

_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION api_properties_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT service_is_writing FROM config_revision WHERE id = 1) THEN
    RETURN NULL;
  END IF;
  INSERT INTO property_changes (at, operation, property_key, before, after, database_user)
  VALUES (
    clock_timestamp(),
    CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END,
    CASE WHEN TG_OP = 'DELETE' THEN OLD.property_key ELSE NEW.property_key END,
    CASE WHEN TG_OP <> 'INSERT'
         THEN jsonb_build_object('property_key', OLD.property_key, 'property_value', OLD.property_value,
                                 'status', OLD.status)::text END,
    CASE WHEN TG_OP <> 'DELETE'
         THEN jsonb_build_object('property_key', NEW.property_key, 'property_value', NEW.property_value,
                                 'status', NEW.status)::text END,
    session_user);
  RETURN NULL;
END
$$
"""


def record_direct_sql(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute(_POSTGRESQL_FUNCTION, None)
        return
    old, new = (
        f"json_object('property_key', {row}.property_key, 'property_value', {row}.property_value,"
        f" 'status', {row}.status)"
        for row in ("OLD", "NEW")
    )
    for event, operation, key, before, after in (
        ("INSERT", "added", "NEW.property_key", "NULL", new),
        ("UPDATE", "changed", "NEW.property_key", old, new),
        ("DELETE", "removed", "OLD.property_key", old, "NULL"),
    ):
        editor.execute(f"DROP TRIGGER IF EXISTS api_properties_{event}", None)
        statement = _SQLITE_TRIGGER.format(
            event=event, operation=operation, key=key, before=before, after=after
        )
        editor.execute(statement, None)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0002_rows_collations_triggers")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="PropertyChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("operation", models.CharField(max_length=16)),
                ("property_key", models.TextField()),
                ("before", models.TextField(null=True)),
                ("after", models.TextField(null=True)),
                ("database_user", models.TextField(db_default="", default="")),
            ],
            options={
                "db_table": "property_changes",
            },
        ),
        migrations.RunPython(record_direct_sql, migrations.RunPython.noop),
    ]
