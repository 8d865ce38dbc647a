"""Course keys are compared without case, so organizations' keys differ in more than it; terms name a currency."""

import django.core.validators
import django.db.models.functions.text
from django.db import migrations, models


def tell_keys_apart(apps, schema_editor):
    """Give each later organization whose key differs only in case a number; runs that exist keep their keys."""
    page, revision = apps.get_model("b2b", "OrganizationPage"), apps.get_model("wagtailcore", "Revision")
    known, taken = {key.lower() for key in page.objects.values_list("org_key", flat=True)}, set()
    for one in page.objects.order_by("pk"):
        key, number = one.org_key, 1
        while key.lower() in (taken if number == 1 else known | taken):
            number += 1
            key = f"{one.org_key[: 30 - len(str(number))]}{number}"
        taken.add(key.lower())
        if key != one.org_key:
            page.objects.filter(pk=one.pk).update(org_key=key)
            # Editors go on from the latest revision, which would bring the key of before back.
            drafts = revision.objects.filter(
                object_id=str(one.pk), content_type__app_label="b2b", content_type__model="organizationpage"
            )
            for draft in drafts.filter(content__org_key=one.org_key):
                draft.content["org_key"] = key
                draft.save(update_fields=["content"])


class Migration(migrations.Migration):
    dependencies = [("b2b", "0006_runs_remember_the_contracts_dates"), ("wagtailcore", "0094_alter_page_locale")]

    operations = [
        migrations.AlterField(
            model_name="organizationpage",
            name="org_key",
            field=models.CharField(
                blank=True,
                help_text="Becomes part of course keys. Left empty, it’s made from the name. It can't be changed once there are runs.",
                max_length=30,
                unique=True,
                validators=[
                    django.core.validators.RegexValidator(
                        "\\A[A-Za-z0-9_.-]+\\Z",
                        "An organization key has only letters without accents, digits, “_”, “.” and “-”: course keys contain it.",
                    )
                ],
                verbose_name="organization key",
            ),
        ),
        migrations.RunPython(tell_keys_apart, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="organizationpage",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("org_key"),
                name="organization_key_once_in_any_case",
                violation_error_message="Another organization has this key; capitals don’t tell keys apart.",
            ),
        ),
        migrations.AddConstraint(
            model_name="contractterms",
            constraint=models.CheckConstraint(
                condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="terms_currency_is_a_code"
            ),
        ),
    ]
