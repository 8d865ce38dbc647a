"""Baskets and orders belong to a site; what another site sells can't get into them. Those of before are the default's."""

import django.db.models.deletion
from django.db import migrations, models

import mitxonline.kernel.shop

# The checks of references and of codes' uses that these updates queue would stop the next change of the tables.
GIVE_DEFAULT = """
DO $$
DECLARE
    own integer := (SELECT id FROM wagtailcore_site ORDER BY is_default_site DESC, id LIMIT 1);
BEGIN
    IF own IS NULL AND (EXISTS (SELECT FROM ecommerce_order) OR EXISTS (SELECT FROM ecommerce_basket)) THEN
        RAISE EXCEPTION 'There are orders or carts, but no site. Run manage.py create_or_update_site, then migrate again.';
    END IF;
    UPDATE ecommerce_order SET site_id = own WHERE site_id IS NULL;
    UPDATE ecommerce_basket SET site_id = own WHERE site_id IS NULL;
END $$;
SET CONSTRAINTS ALL IMMEDIATE;
"""

# A course, program or discount without a site is everywhere. Processes of the release before name no site: they
# served one alone.
WATCH = """
CREATE FUNCTION ecommerce_give_default_site() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.site_id := (SELECT id FROM wagtailcore_site WHERE is_default_site);
    RETURN NEW;
END $$;
CREATE TRIGGER order_has_a_site BEFORE INSERT ON ecommerce_order
    FOR EACH ROW WHEN (NEW.site_id IS NULL) EXECUTE FUNCTION ecommerce_give_default_site();
CREATE TRIGGER basket_has_a_site BEFORE INSERT ON ecommerce_basket
    FOR EACH ROW WHEN (NEW.site_id IS NULL) EXECUTE FUNCTION ecommerce_give_default_site();

CREATE FUNCTION ecommerce_keep_site() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'An order or cart stays on its site'
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$;
CREATE TRIGGER order_keeps_its_site BEFORE UPDATE OF site_id ON ecommerce_order
    FOR EACH ROW WHEN (NEW.site_id IS DISTINCT FROM OLD.site_id) EXECUTE FUNCTION ecommerce_keep_site();
CREATE TRIGGER basket_keeps_its_site BEFORE UPDATE OF site_id ON ecommerce_basket
    FOR EACH ROW WHEN (NEW.site_id IS DISTINCT FROM OLD.site_id) EXECUTE FUNCTION ecommerce_keep_site();

CREATE FUNCTION ecommerce_site_of_product(bigint) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT coalesce(course.site_id, program.site_id) FROM ecommerce_product AS product
    LEFT JOIN courses_courserun AS run ON run.id = product.course_run_id
    LEFT JOIN courses_course AS course ON course.id = run.course_id
    LEFT JOIN courses_program AS program ON program.id = product.program_id
    WHERE product.id = $1
$$;

CREATE FUNCTION ecommerce_refuse_other_site() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    own integer;
    other integer;
BEGIN
    IF TG_TABLE_NAME = 'ecommerce_orderline' THEN
        own := (SELECT site_id FROM ecommerce_order WHERE id = NEW.order_id);
        other := ecommerce_site_of_product(NEW.product_id);
        IF other IS NULL OR other = own THEN
            other := (SELECT site_id FROM ecommerce_discount WHERE id = NEW.discount_id);
        END IF;
    ELSIF TG_TABLE_NAME = 'ecommerce_basketitem' THEN
        own := (SELECT site_id FROM ecommerce_basket WHERE id = NEW.basket_id);
        other := ecommerce_site_of_product(NEW.product_id);
    ELSE
        own := (SELECT site_id FROM ecommerce_basket WHERE id = NEW.basket_id);
        other := (
            SELECT coalesce(discount.site_id, ecommerce_site_of_product(discount.unlocks_id))
            FROM ecommerce_discountcode AS code JOIN ecommerce_discount AS discount ON discount.id = code.discount_id
            WHERE code.id = NEW.code_id
        );
    END IF;
    IF other <> own THEN
        RAISE EXCEPTION 'Another site sells this'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER order_line_is_of_its_site BEFORE INSERT OR UPDATE OF order_id, product_id, discount_id
    ON ecommerce_orderline FOR EACH ROW EXECUTE FUNCTION ecommerce_refuse_other_site();
CREATE TRIGGER basket_item_is_of_its_site BEFORE INSERT OR UPDATE OF basket_id, product_id
    ON ecommerce_basketitem FOR EACH ROW EXECUTE FUNCTION ecommerce_refuse_other_site();
CREATE TRIGGER basket_code_is_of_its_site BEFORE INSERT OR UPDATE OF basket_id, code_id
    ON ecommerce_basketcode FOR EACH ROW EXECUTE FUNCTION ecommerce_refuse_other_site();
"""
LEAVE_ALONE = """
DROP TRIGGER basket_code_is_of_its_site ON ecommerce_basketcode;
DROP TRIGGER basket_item_is_of_its_site ON ecommerce_basketitem;
DROP TRIGGER order_line_is_of_its_site ON ecommerce_orderline;
DROP FUNCTION ecommerce_refuse_other_site();
DROP FUNCTION ecommerce_site_of_product(bigint);
DROP TRIGGER basket_keeps_its_site ON ecommerce_basket;
DROP TRIGGER order_keeps_its_site ON ecommerce_order;
DROP FUNCTION ecommerce_keep_site();
DROP TRIGGER basket_has_a_site ON ecommerce_basket;
DROP TRIGGER order_has_a_site ON ecommerce_order;
DROP FUNCTION ecommerce_give_default_site();
"""


def site_of(on_delete, **options):
    return models.ForeignKey(
        editable=False,
        default=mitxonline.kernel.shop.current_site_id,
        on_delete=on_delete,
        related_name="+",
        to="wagtailcore.site",
        verbose_name="site",
        **options,
    )


PROTECT, CASCADE = django.db.models.deletion.PROTECT, django.db.models.deletion.CASCADE


class Migration(migrations.Migration):
    dependencies = [
        ("courses", "0016_courses_of_sites"),
        ("ecommerce", "0042_customers_know_who_saved_them"),
        ("wagtailcore", "0098_apitoken"),
    ]

    operations = [
        migrations.AddField(
            model_name="discount",
            name="site",
            field=models.ForeignKey(
                blank=True,
                help_text="Where it lowers prices. Empty: on all sites.",
                null=True,
                on_delete=PROTECT,
                related_name="+",
                to="wagtailcore.site",
                verbose_name="site",
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="site",
            field=models.ForeignKey(
                null=True, on_delete=PROTECT, related_name="+", to="wagtailcore.site", verbose_name="site"
            ),
        ),
        migrations.AddField(
            model_name="basket",
            name="site",
            field=models.ForeignKey(
                null=True, on_delete=CASCADE, related_name="+", to="wagtailcore.site", verbose_name="site"
            ),
        ),
        migrations.RunSQL(GIVE_DEFAULT, migrations.RunSQL.noop),
        migrations.AlterField(model_name="order", name="site", field=site_of(PROTECT)),
        migrations.AlterField(model_name="basket", name="site", field=site_of(CASCADE)),
        migrations.RemoveConstraint(model_name="basket", name="basket_once_per_account_and_kind"),
        migrations.RemoveConstraint(model_name="basket", name="basket_once_per_visitor_and_kind"),
        migrations.AddConstraint(
            model_name="basket",
            constraint=models.UniqueConstraint(
                condition=models.Q(("user__isnull", False)),
                fields=("user", "site", "kind"),
                name="basket_once_per_account_site_and_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="basket",
            constraint=models.UniqueConstraint(
                condition=models.Q(("token__isnull", False)),
                fields=("token", "site", "kind"),
                name="basket_once_per_visitor_site_and_kind",
            ),
        ),
        migrations.RunSQL(WATCH, LEAVE_ALONE),
    ]
