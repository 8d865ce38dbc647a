"""No one enrolls an account that was deleted."""

from django.db import migrations

REFUSE = """
CREATE TRIGGER account_is_not_deleted BEFORE INSERT ON courses_enrollment
    FOR EACH ROW EXECUTE FUNCTION users_refuse_closed('user_id');
"""
ALLOW = "DROP TRIGGER account_is_not_deleted ON courses_enrollment;"


class Migration(migrations.Migration):
    dependencies = [("courses", "0006_topics_and_languages"), ("users", "0009_deleted_accounts")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
