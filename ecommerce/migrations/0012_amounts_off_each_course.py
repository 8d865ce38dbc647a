"""An amount off comes off the cart once; what was made before, which came off each line, is a type of its own."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

CHOICES = [
    ("percent_off", "Percent off"),
    ("amount_off", "Amount off the cart"),
    ("amount_off_each", "Amount off each course"),
    ("fixed_price", "Fixed price"),
]


def keep_their_meaning(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Discounts that exist go on as they were made and announced."""
    apps.get_model("ecommerce", "Discount").objects.filter(discount_type="amount_off").update(
        discount_type="amount_off_each"
    )


def call_it_as_before(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Before, there was one type, and it came off each line."""
    apps.get_model("ecommerce", "Discount").objects.filter(discount_type="amount_off_each").update(
        discount_type="amount_off"
    )


class Migration(migrations.Migration):
    dependencies = [("ecommerce", "0011_books_that_follow_the_money")]

    operations = [
        migrations.AlterField(
            model_name="discount",
            name="discount_type",
            field=models.CharField(choices=CHOICES, max_length=20, verbose_name="type"),
        ),
        migrations.RunPython(keep_their_meaning, call_it_as_before),
    ]
