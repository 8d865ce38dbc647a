from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


def by_trace(model_name: str, name: str) -> AddIndexConcurrently:
    return AddIndexConcurrently(model_name, models.Index(fields=["trace_id"], condition=~Q(trace_id=""), name=name))


class Migration(migrations.Migration):
    atomic = False  # Orders and payments go on while the database builds the indexes.

    dependencies = [("ecommerce", "0025_rows_of_one_request")]

    operations = [
        by_trace("order", "order_by_trace"),
        by_trace("paymentattempt", "attempt_by_trace"),
        by_trace("gatewaynotice", "notice_by_trace"),
    ]
