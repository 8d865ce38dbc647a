"""Declare the runs free that were free because no one sells them. From now on, free is what was declared so."""

from django.db import migrations

# Runs that aren't live yet are left out: whoever puts them live decides.
DECLARE_FREE = """
UPDATE courses_courserun AS run SET is_free = true
WHERE run.access = 'public' AND run.live AND run.run_tag <> 'SOURCE' AND NOT EXISTS (
    SELECT FROM ecommerce_product AS product
    WHERE product.course_run_id = run.id AND NOT product.requires_code AND product.price > 0
)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("courses", "0005_free_runs"),
        ("ecommerce", "0020_starts_of_programs"),
    ]

    operations = [migrations.RunSQL(DECLARE_FREE, migrations.RunSQL.noop)]
