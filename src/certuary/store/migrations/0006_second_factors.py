"""What a user's record says of second factors, and of a password that must be replaced."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0005_revocations_index"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="authenticators",
            field=models.JSONField(db_default=[], default=list),
        ),
        migrations.AddField(
            model_name="user",
            name="must_change_password",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
