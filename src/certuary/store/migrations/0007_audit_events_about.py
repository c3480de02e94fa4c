"""An index by which the history of a record is found. Enrolments, which are most events, have no part in it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0006_second_factors"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                fields=["target", "id"],
                condition=models.Q(("actor_kind", "application"), _negated=True),
                name="audit_events_about",
            ),
        ),
    ]
