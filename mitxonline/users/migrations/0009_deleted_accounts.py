"""Accounts can be deleted: the row stays, and the database gives it nothing new.

Tables that give something to a person have a trigger with `users_refuse_closed` and the name of their column.
"""

from django.db import migrations, models

# The lock is the one the foreign key takes anyway. It waits for a deletion that is under way, and then sees it.
REFUSE = """
CREATE FUNCTION users_refuse_closed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed timestamptz;
BEGIN
    SELECT closed_at INTO closed FROM users_user WHERE id = (to_jsonb(NEW) ->> TG_ARGV[0])::bigint FOR KEY SHARE;
    IF closed IS NOT NULL THEN
        RAISE EXCEPTION 'the account was deleted'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'account_is_not_deleted', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END
$$;
"""
ALLOW = "DROP FUNCTION users_refuse_closed();"


class Migration(migrations.Migration):
    dependencies = [("users", "0008_email_changes")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="closed_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="When the account was deleted. The row stays, without name and address, for the orders’ sake.",
                null=True,
                verbose_name="deleted",
            ),
        ),
        migrations.RunSQL(REFUSE, ALLOW),
    ]
