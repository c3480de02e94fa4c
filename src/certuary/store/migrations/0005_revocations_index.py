"""The index of revocations holds what a look at their number and revisions needs, without the table."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0004_seals_marks_chain"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(
                fields=["revoked_revision", "revoked_at"],
                condition=models.Q(
                    ("revoked_revision__isnull", False), ("revoked_at__isnull", False), _connector="OR"
                ),
                name="certificates_revocations",
            ),
        ),
        migrations.RemoveIndex(model_name="certificate", name="certificates_revoked"),
    ]
