"""A code of a seat gives its course once: it is never applied to a cart, and its discount never lowers seats."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION ecommerce_refuse_seat_in_basket() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM ecommerce_discountcode AS code
        JOIN ecommerce_seatsale AS sale ON sale.discount_id = code.discount_id WHERE code.id = NEW.code_id
    ) THEN
        RAISE EXCEPTION 'A registration code is redeemed, not applied to a cart'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'basket_code_is_no_seat', TABLE = 'ecommerce_basketcode';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER basket_code_is_no_seat BEFORE INSERT OR UPDATE OF code_id ON ecommerce_basketcode
    FOR EACH ROW EXECUTE FUNCTION ecommerce_refuse_seat_in_basket();

CREATE FUNCTION ecommerce_refuse_seats_for_groups() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_refused boolean;
BEGIN
    IF TG_TABLE_NAME = 'ecommerce_discount' THEN
        is_refused := NEW.for_groups
            AND EXISTS (SELECT FROM ecommerce_seatsale AS sale WHERE sale.discount_id = NEW.id);
    ELSE
        is_refused := EXISTS (
            SELECT FROM ecommerce_discount AS discount WHERE discount.id = NEW.discount_id AND discount.for_groups
        );
    END IF;
    IF is_refused THEN
        RAISE EXCEPTION 'The codes of seats lower no prices'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'seat_sale_is_not_for_groups', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER seat_sale_is_not_for_groups BEFORE UPDATE OF for_groups ON ecommerce_discount
    FOR EACH ROW EXECUTE FUNCTION ecommerce_refuse_seats_for_groups();
CREATE TRIGGER seat_sale_is_not_for_groups BEFORE INSERT OR UPDATE OF discount_id ON ecommerce_seatsale
    FOR EACH ROW EXECUTE FUNCTION ecommerce_refuse_seats_for_groups();
"""
ALLOW = """
DROP TRIGGER seat_sale_is_not_for_groups ON ecommerce_seatsale;
DROP TRIGGER seat_sale_is_not_for_groups ON ecommerce_discount;
DROP FUNCTION ecommerce_refuse_seats_for_groups();
DROP TRIGGER basket_code_is_no_seat ON ecommerce_basketcode;
DROP FUNCTION ecommerce_refuse_seat_in_basket();
"""


class Migration(migrations.Migration):
    dependencies = [("ecommerce", "0040_seats_of_refunds_made_elsewhere")]

    operations = [migrations.RunSQL(REFUSE, ALLOW)]
