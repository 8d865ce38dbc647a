from django.db import migrations


def _rename(apps, *, permission, name, action):
    before, after = permission
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="ecommerce")
    # Where "migrate" stopped between the names, Django has made the other one beside it; whoever has that keeps it.
    for twin in permissions.filter(codename=after) if permissions.filter(codename=before).exists() else ():
        known = permissions.get(codename=before)
        known.group_set.add(*twin.group_set.all())
        known.user_set.add(*twin.user_set.all())
        twin.delete()
    permissions.filter(codename=before).update(codename=after, name=name)
    entries = apps.get_model("wagtailcore", "ModelLogEntry").objects
    entries.filter(action=action[0]).update(action=action[1])


def to_american(apps, schema_editor):
    _rename(
        apps,
        permission=("fulfil_order", "fulfill_order"),
        name="Can fulfill an order that is in review",
        action=("ecommerce.order.fulfil", "ecommerce.order.fulfill"),
    )


def to_british(apps, schema_editor):
    _rename(
        apps,
        permission=("fulfill_order", "fulfil_order"),
        name="Can fulfil an order that is in review",
        action=("ecommerce.order.fulfill", "ecommerce.order.fulfil"),
    )


class Migration(migrations.Migration):
    """Groups keep the permission under its new name; so does the history of orders."""

    dependencies = [
        ("ecommerce", "0014_fulfilled_orders_have_their_uses"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("wagtailcore", "0094_alter_page_locale"),
    ]

    operations = [migrations.RunPython(to_american, to_british)]
