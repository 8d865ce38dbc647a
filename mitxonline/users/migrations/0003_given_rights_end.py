from django.db.models.functions import Greatest
from django.db import migrations, models

import mitxonline.kernel.clock


def date_from_sessions(apps, schema_editor):
    """The last sign-in that is known: a session begun at that provider, else the one that gave the right."""
    GivenRight, ProviderSession = (apps.get_model("users", name) for name in ("GivenRight", "ProviderSession"))
    sessions = ProviderSession.objects.filter(user=models.OuterRef("user"), issuer=models.OuterRef("issuer"))
    last = sessions.order_by("-started_at").values("started_at")[:1]
    GivenRight.objects.update(
        proved_at=Greatest("given_at", models.Subquery(last))
    )


class Migration(migrations.Migration):
    dependencies = [("users", "0002_keep_sign_ins_through_providers")]

    operations = [
        migrations.AddField(
            model_name="givenright",
            name="proved_at",
            field=models.DateTimeField(default=mitxonline.kernel.clock.now),
        ),
        migrations.RunPython(date_from_sessions, migrations.RunPython.noop, elidable=True),
    ]
