"""Write international domains in letters, as sign-ins look addresses up from now on."""

import idna
from django.db import migrations


def decode_domains(apps, schema_editor):
    User = apps.get_model("users", "User")
    taken = User.objects
    for pk, email in taken.filter(email__contains="xn--").values_list("pk", "email"):
        local, at, domain = email.rpartition("@")
        try:
            decoded = f"{local}{at}{'.'.join(idna.decode(label) for label in domain.split('.'))}"
        except idna.IDNAError:
            continue
        # Someone with an account under either spelling keeps both; the one in letters is the one that signs in.
        if not taken.filter(email__iexact=decoded).exists():
            taken.filter(pk=pk).update(email=decoded)


class Migration(migrations.Migration):
    dependencies = [("users", "0006_time_zone")]

    operations = [migrations.RunPython(decode_domains, migrations.RunPython.noop)]
