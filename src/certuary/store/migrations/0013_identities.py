"""What opens the portal for a user beside the password: identities of a provider, certificates."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0012_two_persons"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="identities",
            field=models.JSONField(db_default=[], default=list),
        ),
    ]
