"""The index by which people find the certificates of a profile."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0008_refusals_index"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="certificate",
            index=models.Index(fields=["profile_version", "id"], name="certificates_profile"),
        ),
    ]
