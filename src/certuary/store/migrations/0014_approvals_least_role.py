"""Which role may decide what waits for a second person. Of what waits already, a CA Administrator."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0013_identities"),
    ]

    operations = [
        migrations.AddField(
            model_name="approval",
            name="least_role",
            field=models.CharField(db_default="", default="", max_length=32),
        ),
    ]
