"""Runs remember where the contract's days put them; those that exist stand where the terms in force would."""

from django.conf import settings
from django.db import migrations, models

# ``kernel.clock``'s start_of_day and end_of_day, and ``dates_by_contract``, for all runs at once.
FILL = """
UPDATE b2b_contractrun AS link SET
    given_start = CASE
        WHEN terms.start IS NOT NULL THEN terms.start::timestamp AT TIME ZONE %s
        WHEN terms."end" IS NOT NULL THEN LEAST(link.added_at, terms."end"::timestamp AT TIME ZONE %s)
        ELSE link.added_at END,
    given_end = (terms."end" + time '23:59:59.999999') AT TIME ZONE %s
FROM b2b_contractterms AS terms WHERE terms.page_id = link.contract_id
"""


def fill(apps, schema_editor):
    zone = settings.TIME_ZONE
    schema_editor.execute(FILL, [zone, zone, zone])
    schema_editor.execute("UPDATE b2b_contractrun SET given_start = added_at WHERE given_start IS NULL")


class Migration(migrations.Migration):
    dependencies = [("b2b", "0005_withdrawn_on_whose_authority")]

    operations = [
        migrations.AddField(
            model_name="contractrun",
            name="given_start",
            field=models.DateTimeField(null=True, verbose_name="start given by the contract"),
        ),
        migrations.AddField(
            model_name="contractrun",
            name="given_end",
            field=models.DateTimeField(
                blank=True,
                help_text="Where the contract’s last day last put the run; empty for no end.",
                null=True,
                verbose_name="end given by the contract",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="contractrun",
            name="given_start",
            field=models.DateTimeField(
                help_text="Where the contract’s first day last put the run; a run that stands there follows the next one.",
                verbose_name="start given by the contract",
            ),
        ),
    ]
