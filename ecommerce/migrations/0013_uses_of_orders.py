from django.db import migrations, models

# Orders that are still to be fulfilled are held to the rule as it is now. Of those that are fulfilled only the codes
# that could always be used once a person can be judged: others may have got their limit since.
MARK = """
UPDATE ecommerce_orderline AS line SET takes_use = true
FROM ecommerce_order AS bought, ecommerce_discountcode AS code, ecommerce_discount AS discount
WHERE bought.id = line.order_id AND code.id = line.code_id AND discount.id = code.discount_id
AND (
    (bought.state NOT IN ('fulfilled', 'partially_refunded', 'refunded') AND code.max_uses IS NOT NULL)
    OR (discount.unlocks_id IS NULL AND discount.redemption_type <> 'unlimited')
)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ecommerce", "0012_amounts_off_each_course"),
    ]

    operations = [
        migrations.AddField(
            model_name="orderline",
            name="takes_use",
            field=models.BooleanField(
                db_default=False,
                default=False,
                editable=False,
                help_text="The code could be used so many times: the order is fulfilled only with a use of its own.",
                verbose_name="takes a use of its code",
            ),
        ),
        migrations.RunSQL(MARK, migrations.RunSQL.noop),
    ]
