"""Refusals are found by time, by rule and by application, however many enrolments went well."""

from django.db import migrations, models

_REFUSED = models.Q(outcome="refused")


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0007_audit_events_about"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="enrolment",
            index=models.Index(fields=["at", "id"], condition=_REFUSED, name="enrolments_refused"),
        ),
        migrations.AddIndex(
            model_name="enrolment",
            index=models.Index(fields=["reason", "at", "id"], condition=_REFUSED, name="refusals_rule"),
        ),
        migrations.AddIndex(
            model_name="enrolment",
            index=models.Index(
                fields=["application", "at", "id"], condition=_REFUSED, name="refusals_application"
            ),
        ),
    ]
