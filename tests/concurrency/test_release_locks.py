"""Releasing uses locks their codes whichever plan the database chooses, so that a limit set meanwhile waits."""

import pytest
from django.db import OperationalError, connection, transaction

from ecommerce.models import DiscountCode
from ecommerce.services.discounts.codes import release_uses
from tests.b2b.worlds import NOW, codes_of, hold_for_order, make_source_course, publish_contract
from tests.support.together import Together

PLANS = [(), ("enable_hashjoin",), ("enable_hashjoin", "enable_mergejoin"), ("enable_nestloop", "enable_hashjoin")]


@pytest.mark.parametrize("switched_off", PLANS, ids=lambda names: "+".join(names) or "default")
def test_releasing_locks_an_unlimited_code_in_every_plan(together: Together, switched_off: tuple[str, ...]) -> None:
    (code,) = codes_of(publish_contract(make_source_course()))
    use = hold_for_order(code)

    def is_locked() -> bool:
        try:
            with transaction.atomic():
                DiscountCode.objects.select_for_update(nowait=True, no_key=True).get(pk=code.pk)
        except OperationalError:
            return True
        return False

    with transaction.atomic():
        with connection.cursor() as cursor:
            for name in switched_off:
                cursor.execute(f"SET LOCAL {name} = off")
        assert release_uses(order_id=use.order_id or 0, now=NOW) == [code.pk]
        assert together(is_locked) == [True]
