"""Give the editors of existing sites the rights that new sites' editors have, once: what is revoked later stays so."""

from django.db import migrations

EDITORS = "Editors"
# Wagtail comes with a group of this name; ours can edit courses.
OURS = ("courses", "change_course")
NEW_RIGHTS = (
    ("cms", "sitemenus", ("change",)),
    ("courses", "topic", ("add", "change", "delete", "view")),
    ("wagtailredirects", "redirect", ("add", "change", "delete", "view")),
)


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
    for app, model, actions in NEW_RIGHTS:
        # Django makes these after all migrations; what exists by then is left alone.
        content_type, _is_new = ContentType.objects.get_or_create(app_label=app, model=model)
        name = apps.get_model(app, model)._meta.verbose_name_raw
        for action in actions:
            permission, _is_new = Permission.objects.get_or_create(
                content_type=content_type, codename=f"{action}_{model}", defaults={"name": f"Can {action} {name}"}
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("cms", "0007_short_names_of_instructors"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("courses", "0006_topics_and_languages"),
        ("wagtailredirects", "0008_add_verbose_name_plural"),
    ]

    operations = [migrations.RunPython(give_new_rights, migrations.RunPython.noop)]
