from django.db import migrations

# A use of a code that can be used so many times belongs to one order. Looked at when the transaction commits: an order
# that becomes fulfilled has, for each such line, the buyer's confirmed use; of a discount code it is this order's own, of
# an enrollment code it may be one from before. Lines whose price went back or that were undone need none, and an order
# that comes back from a refund which failed isn't judged again: its code may be another's by now. Nor is such a use taken away from an order that stays fulfilled; staff
# may retire it, and then it stays spent and this order's.
WATCH = """
CREATE FUNCTION ecommerce_order_has_its_uses() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    judged bigint;
    states text[];
BEGIN
    IF TG_TABLE_NAME = 'ecommerce_order' THEN
        judged := NEW.id;
        states := ARRAY['confirmed'];
    ELSE
        judged := OLD.order_id;
        states := ARRAY['confirmed', 'retired'];
    END IF;
    IF EXISTS (
        SELECT FROM ecommerce_order AS bought
        JOIN ecommerce_orderline AS line ON line.order_id = bought.id AND line.takes_use
            AND line.undone_at IS NULL AND NOT (line.due > 0 AND line.refunded = line.due)
        WHERE bought.id = judged AND bought.state = 'fulfilled' AND NOT EXISTS (
            SELECT FROM ecommerce_codeuse AS use
            WHERE use.code_id = line.code_id AND use.user_id = bought.purchaser_id AND use.state = ANY(states)
            AND (use.order_id = bought.id OR line.requires_code)
        )
    ) THEN
        RAISE EXCEPTION 'order % is fulfilled without a use of its code', judged
        USING ERRCODE = 'check_violation', CONSTRAINT = 'order_fulfilled_has_its_uses', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER order_made_fulfilled AFTER INSERT ON ecommerce_order
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'fulfilled')
EXECUTE FUNCTION ecommerce_order_has_its_uses();

CREATE CONSTRAINT TRIGGER order_becomes_fulfilled AFTER UPDATE OF state ON ecommerce_order
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'fulfilled' AND OLD.state IN ('pending', 'review'))
EXECUTE FUNCTION ecommerce_order_has_its_uses();

CREATE CONSTRAINT TRIGGER use_leaves_its_order AFTER UPDATE OF state, order_id ON ecommerce_codeuse
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
WHEN (OLD.state = 'confirmed' AND OLD.order_id IS NOT NULL
    AND (NEW.state NOT IN ('confirmed', 'retired') OR NEW.order_id IS DISTINCT FROM OLD.order_id))
EXECUTE FUNCTION ecommerce_order_has_its_uses();

CREATE CONSTRAINT TRIGGER use_is_deleted AFTER DELETE ON ecommerce_codeuse
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state = 'confirmed' AND OLD.order_id IS NOT NULL)
EXECUTE FUNCTION ecommerce_order_has_its_uses();
"""

LEAVE_ALONE = """
DROP TRIGGER use_is_deleted ON ecommerce_codeuse;
DROP TRIGGER use_leaves_its_order ON ecommerce_codeuse;
DROP TRIGGER order_becomes_fulfilled ON ecommerce_order;
DROP TRIGGER order_made_fulfilled ON ecommerce_order;
DROP FUNCTION ecommerce_order_has_its_uses();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ecommerce", "0013_uses_of_orders"),
    ]

    operations = [migrations.RunSQL(WATCH, LEAVE_ALONE)]
