"""No one sells anything to an account that was deleted, and an order says why it is in review."""

from django.db import migrations, models

REFUSE = """
CREATE TRIGGER account_is_not_deleted BEFORE INSERT ON ecommerce_order
    FOR EACH ROW EXECUTE FUNCTION users_refuse_closed('purchaser_id');
CREATE TRIGGER account_is_not_deleted BEFORE INSERT ON ecommerce_codeuse
    FOR EACH ROW EXECUTE FUNCTION users_refuse_closed('user_id');
CREATE TRIGGER account_is_not_deleted BEFORE INSERT OR UPDATE OF user_id ON ecommerce_basket
    FOR EACH ROW EXECUTE FUNCTION users_refuse_closed('user_id');
"""
ALLOW = """
DROP TRIGGER account_is_not_deleted ON ecommerce_basket;
DROP TRIGGER account_is_not_deleted ON ecommerce_codeuse;
DROP TRIGGER account_is_not_deleted ON ecommerce_order;
"""


class Migration(migrations.Migration):
    dependencies = [("ecommerce", "0023_order_notes"), ("users", "0009_deleted_accounts")]

    operations = [
        migrations.AlterField(
            model_name="order",
            name="review_cause",
            field=models.CharField(
                blank=True,
                choices=[
                    ("paid_after_hold", "Paid after its codes and seats were released"),
                    ("amount_differs", "The amount paid isn’t the amount asked for"),
                    ("currency_differs", "The currency paid isn’t the currency asked for"),
                    ("has_course", "The buyer already has the course"),
                    ("start_closed", "A start the buyer chose has closed"),
                    ("code_gone", "Its code is no longer available"),
                    ("code_use_missing", "Its code’s use belongs to another order"),
                    ("refused", "A rule refused it"),
                    ("in_doubt", "The payment is in doubt"),
                    ("unknown_session", "Paid on a payment page we didn’t open"),
                    ("refund_failed", "A refund didn’t arrive, and the courses are closed"),
                    ("account_deleted", "The buyer deleted their account"),
                    ("payment_missing", "The gateway doesn’t know the payment"),
                ],
                db_default="",
                default="",
                max_length=40,
                verbose_name="in review because",
            ),
        ),
        migrations.RunSQL(REFUSE, ALLOW),
    ]
