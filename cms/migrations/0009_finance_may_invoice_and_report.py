"""Give the group Finance of existing sites what new sites' Finance has, once: what is revoked later stays so."""

from django.db import migrations

FINANCE = "Finance"
# A group of this name that can't refund isn't ours.
OURS = ("ecommerce", "refund_order")
NEW_RIGHTS = (
    (
        "shoprole",
        ("cancel_code", "issue_invoice", "pay_invoice", "void_invoice", "view_audit", "view_report", "view_codereport"),
    ),
    ("invoice", ("view_invoice",)),
)


def give_new_rights(apps, schema_editor):
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    ContentType = apps.get_model("contenttypes", "ContentType")
    app, codename = OURS
    group = Group.objects.filter(
        name=FINANCE, permissions__content_type__app_label=app, permissions__codename=codename
    ).first()
    if group is None:
        return
    names = dict(apps.get_model("ecommerce", "ShopRole")._meta.permissions)
    for model, codenames in NEW_RIGHTS:
        # Django makes these after all migrations; what exists by then is left alone.
        content_type, _is_new = ContentType.objects.get_or_create(app_label="ecommerce", model=model)
        for codename in codenames:
            permission, _is_new = Permission.objects.get_or_create(
                content_type=content_type,
                codename=codename,
                defaults={"name": names.get(codename, f"Can view {model}")},
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("cms", "0008_editors_may_keep_menus_and_topics"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("ecommerce", "0029_shop_roles"),
    ]

    operations = [migrations.RunPython(give_new_rights, migrations.RunPython.noop)]
