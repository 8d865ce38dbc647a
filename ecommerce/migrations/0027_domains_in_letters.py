"""Write international domains in letters, as accounts' addresses are: codes and people are found by them."""

import idna
from django.db import IntegrityError, migrations, transaction

COLUMNS = (("DiscountCode", "assigned_email"), ("DiscountPerson", "email"))


def decode_domain(email):
    local, at, domain = email.rpartition("@")
    try:
        return f"{local}{at}{'.'.join(idna.decode(label) for label in domain.split('.'))}"
    except idna.IDNAError:
        return email


def decode_domains(apps, schema_editor):
    for name, column in COLUMNS:
        rows = apps.get_model("ecommerce", name).objects
        for pk, email in rows.filter(**{f"{column}__contains": "xn--"}).values_list("pk", column):
            try:
                with transaction.atomic():
                    rows.filter(pk=pk).update(**{column: decode_domain(email)})
            except IntegrityError:
                continue  # listed under both spellings; the one in letters counts


class Migration(migrations.Migration):
    dependencies = [("ecommerce", "0026_find_rows_by_trace")]

    operations = [migrations.RunPython(decode_domains, migrations.RunPython.noop)]
