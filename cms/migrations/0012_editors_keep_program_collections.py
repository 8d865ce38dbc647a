"""Let the editors of existing sites keep program collections, as those of new sites can, once."""

from django.db import migrations

EDITORS = "Editors"
# Wagtail comes with a group of this name; ours can edit courses.
OURS = ("courses", "change_course")
ACTIONS = ("add", "change", "delete", "view")


def give_new_rights(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    ContentType = apps.get_model("contenttypes", "ContentType")
    app, codename = OURS
    group = Group.objects.filter(
        name=EDITORS, permissions__content_type__app_label=app, permissions__codename=codename
    ).first()
    if group is None:
        return
    # Django makes these after all migrations; what exists by then is left alone.
    content_type, _is_new = ContentType.objects.get_or_create(app_label="cms", model="programcollection")
    for action in ACTIONS:
        permission, _is_new = Permission.objects.get_or_create(
            content_type=content_type,
            codename=f"{action}_programcollection",
            defaults={"name": f"Can {action} program collection"},
        )
        group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("cms", "0011_program_collections"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(give_new_rights, migrations.RunPython.noop)]
