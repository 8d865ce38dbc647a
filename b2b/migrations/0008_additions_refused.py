"""An addition in Keycloak can be refused for want of roles."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("b2b", "0007_one_key_in_any_case")]

    operations = [
        migrations.AlterField(
            model_name="keycloakjoin",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("unlinked", "No Keycloak account yet"),
                    ("done", "Done"),
                    ("impossible", "Not in Keycloak any more"),
                    ("refused", "Refused: roles missing"),
                ],
                default="waiting",
                max_length=20,
                verbose_name="state",
            ),
        )
    ]
