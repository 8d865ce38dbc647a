"""No one gives a seat to an account that was deleted."""

from django.db import migrations

REFUSE = """
CREATE TRIGGER account_is_not_deleted BEFORE INSERT ON b2b_contractmembership
    FOR EACH ROW EXECUTE FUNCTION users_refuse_closed('user_id');
CREATE TRIGGER account_is_not_deleted BEFORE INSERT ON b2b_organizationmembership
    FOR EACH ROW EXECUTE FUNCTION users_refuse_closed('user_id');
"""
ALLOW = """
DROP TRIGGER account_is_not_deleted ON b2b_organizationmembership;
DROP TRIGGER account_is_not_deleted ON b2b_contractmembership;
"""


class Migration(migrations.Migration):
    dependencies = [("b2b", "0012_seat_requests"), ("users", "0009_deleted_accounts")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
