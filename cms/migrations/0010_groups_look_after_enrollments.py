"""Let Finance and B2B managers of existing sites see and change enrollments, as on new sites, once."""

from django.db import migrations

# Groups of these names that can't do this aren't ours.
OURS = (
    ("Finance", "ecommerce", "refund_order"),
    ("B2B managers", "b2b", "change_contractpage"),
)
ACTIONS = ("change", "view")


def give_new_rights(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    ContentType = apps.get_model("contenttypes", "ContentType")
    for name, app, codename in OURS:
        group = Group.objects.filter(
            name=name, permissions__content_type__app_label=app, permissions__codename=codename
        ).first()
        if group is None:
            continue
        # Django makes these after all migrations; what exists by then is left alone.
        content_type, _is_new = ContentType.objects.get_or_create(app_label="courses", model="enrollment")
        for action in ACTIONS:
            permission, _is_new = Permission.objects.get_or_create(
                content_type=content_type,
                codename=f"{action}_enrollment",
                defaults={"name": f"Can {action} enrollment"},
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("cms", "0009_finance_may_invoice_and_report"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("courses", "0011_compare_enrollments"),
    ]

    operations = [migrations.RunPython(give_new_rights, migrations.RunPython.noop)]
