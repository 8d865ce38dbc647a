from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False  # Events are published while the database builds the index.

    dependencies = [("coordinator", "0004_indexes_of_the_list")]

    operations = [
        AddIndexConcurrently(
            "delivery", GinIndex(name="delivery_by_payload", fields=["payload"], opclasses=["jsonb_path_ops"])
        )
    ]
