from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # Codes are handed out while the database builds the index and checks earlier rows.

    dependencies = [("b2b", "0016_hand_outs_of_seat_sales")]

    operations = [
        AddIndexConcurrently(
            "handout",
            models.Index(
                condition=models.Q(("seat_sale__isnull", False)),
                fields=["seat_sale", "email"],
                name="hand_out_of_sale_by_address",
            ),
        ),
        ValidateConstraint("handout", "hand_out_of_contract_or_sale"),
        ValidateConstraint("handout", "only_contracts_share_codes"),
    ]
