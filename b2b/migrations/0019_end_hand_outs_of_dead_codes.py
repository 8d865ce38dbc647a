from django.db import migrations

# Codes of group purchases that were switched off before hand-outs ended with them.
END = """
UPDATE b2b_handout AS hand_out SET ended_at = coalesce(
    (SELECT max(change.at) FROM ecommerce_registrationcodechange AS change WHERE change.code_id = code.id), now()
)
FROM ecommerce_discountcode AS code
WHERE code.id = hand_out.code_id AND hand_out.seat_sale_id IS NOT NULL AND hand_out.ended_at IS NULL
    AND NOT code.active
"""


class Migration(migrations.Migration):
    dependencies = [("b2b", "0018_contract_invoices"), ("ecommerce", "0041_seats_are_no_discounts")]

    operations = [migrations.RunSQL(END, migrations.RunSQL.noop)]
