from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False  # Payments are recorded while the database builds the index.

    dependencies = [("ecommerce", "0036_invoices_credited_by_amount")]

    operations = [
        AddIndexConcurrently(
            "invoiceentry",
            models.Index(fields=["trace_id"], condition=~Q(trace_id=""), name="invoice_entry_by_trace"),
        ),
    ]
