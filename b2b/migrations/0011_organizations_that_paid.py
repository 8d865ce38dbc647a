"""Orders from before name the organization whose contract sold each line, as it is called now."""

from django.db import migrations

NAME_ORGANIZATIONS = """
UPDATE ecommerce_orderline AS line SET provider = organization.name
FROM b2b_contractrun AS run
JOIN b2b_contractterms AS terms ON terms.page_id = run.contract_id
JOIN b2b_organizationpage AS organization ON organization.page_ptr_id = terms.organization_id
WHERE line.product_id = run.product_id AND line.requires_code AND line.provider = ''
"""


class Migration(migrations.Migration):

    dependencies = [
        ("b2b", "0010_plain_labels"),
        ("ecommerce", "0022_organizations_that_paid"),
    ]

    operations = [migrations.RunSQL(NAME_ORGANIZATIONS, migrations.RunSQL.noop)]
