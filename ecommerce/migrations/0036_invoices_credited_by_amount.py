from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ecommerce", "0035_payment_capture"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="creditnoteline",
            name="credit_note_line_counts",
        ),
        migrations.RemoveConstraint(
            model_name="invoiceentry",
            name="invoice_entry_has_an_amount",
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("net__gte", 0),
                    ("tax__gte", 0),
                    models.Q(("seats__gte", 1), ("net__gt", 0), ("tax__gt", 0), _connector="OR"),
                ),
                name="credit_note_line_counts",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount__gt", 0), ("tax__gte", 0)),
                    models.Q(("amount", 0), ("kind", "credit_note"), ("tax", 0)),
                    _connector="OR",
                ),
                name="invoice_entry_has_an_amount",
            ),
        ),
    ]
