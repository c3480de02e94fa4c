"""Columns and tables of seals, marks, the manifest and the audit chain."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0003_property_changes"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("body", models.TextField()),
                ("signature", models.BinaryField()),
            ],
            options={
                "db_table": "audit_checkpoints",
            },
        ),
        migrations.CreateModel(
            name="AuditStream",
            fields=[
                ("stream", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("node", models.CharField(max_length=32)),
                ("process", models.CharField(max_length=32)),
                ("opened_at", models.DateTimeField()),
                ("closed_by", models.CharField(db_default="", default="", max_length=32)),
            ],
            options={
                "db_table": "audit_streams",
            },
        ),
        migrations.CreateModel(
            name="Manifest",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("body", models.TextField()),
                ("signature", models.BinaryField()),
            ],
            options={
                "db_table": "manifest",
            },
        ),
        migrations.CreateModel(
            name="ManifestPart",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=16)),
                ("number", models.BigIntegerField()),
                ("revision", models.BigIntegerField(db_index=True)),
                ("body", models.TextField()),
            ],
            options={
                "db_table": "manifest_parts",
            },
        ),
        migrations.CreateModel(
            name="RecordProblem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=16)),
                ("record", models.CharField(max_length=64)),
                ("reason", models.TextField()),
                ("found_at", models.DateTimeField()),
            ],
            options={
                "db_table": "record_problems",
            },
        ),
        migrations.AddField(
            model_name="application",
            name="seal",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="application",
            name="version",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="hash",
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="previous",
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="seq",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="stream",
            field=models.CharField(db_default="", default="", max_length=32),
        ),
        migrations.AddField(
            model_name="authority",
            name="seal",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="authority",
            name="version",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="certificate",
            name="mark",
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name="crl",
            name="mark",
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name="group",
            name="seal",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="group",
            name="version",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="label",
            name="seal",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="label",
            name="version",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="profile",
            name="seal",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="profile",
            name="version",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="profileversion",
            name="mark",
            field=models.BinaryField(null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="compromised_keys",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="seal",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="user",
            name="signing_certificate",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="user",
            name="signing_key",
            field=models.TextField(db_default="", default=""),
        ),
        migrations.AddField(
            model_name="user",
            name="version",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddConstraint(
            model_name="auditevent",
            constraint=models.UniqueConstraint(fields=("stream", "seq"), name="audit_events_stream"),
        ),
        migrations.AddIndex(
            model_name="auditstream",
            index=models.Index(fields=["node", "process"], name="audit_streams_process"),
        ),
        migrations.AddConstraint(
            model_name="manifestpart",
            constraint=models.UniqueConstraint(fields=("kind", "number"), name="manifest_parts_number"),
        ),
        migrations.AddConstraint(
            model_name="recordproblem",
            constraint=models.UniqueConstraint(fields=("kind", "record"), name="record_problems_record"),
        ),
    ]
