"""The exported file of codes."""

import csv
from io import StringIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from b2b.models import ContractPage
from b2b.selectors import codes
from b2b.selectors.codes import BRIEF_COLUMNS, write_codes
from b2b.services.courseware.courseware import RemoveCourseware, remove_courseware
from courses.models import CourseRun
from ecommerce.enums import UseState
from ecommerce.models import DiscountCode
from tests.b2b.worlds import (
    NOW,
    change_terms,
    codes_of,
    hold_for_order,
    leave_seat,
    make_learner,
    make_program_of,
    make_source_course,
    publish_contract,
    reconcile_contract,
    redeem_code,
)


def exported(page: ContractPage, *, everything: bool = False) -> list[dict[str, str]]:
    out = StringIO()
    write_codes(out, contract_id=page.pk, everything=everything)
    return list(csv.DictReader(StringIO(out.getvalue())))


def test_the_columns_and_what_is_in_them() -> None:
    page = publish_contract(make_source_course("course-v1:TesX+1x", title="Reading, and a changing climate"), cap=1)
    (code,) = codes_of(page)
    product = code.discount.unlocks
    assert product is not None
    assert exported(page) == [
        {
            "Code": code.text,
            "Product": f"Reading, and a changing climate (course-v1:UAI_UniversityX+1x+2025_C{page.pk})",
            "Redeemed": "No",
            "Product URL": f"http://testserver/cart/add/?product_id={product.pk}",
            "Redeem URL": f"http://testserver/enrollmentcode/{code.text}/",
        }
    ]
    assert tuple(heading for heading, _cell in BRIEF_COLUMNS) == (
        "Code",
        "Product",
        "Redeemed",
        "Product URL",
        "Redeem URL",
    )


def test_redeemed_is_yes_held_and_assigned_are_no() -> None:
    page = publish_contract(make_source_course(), cap=4)
    codes = codes_of(page)
    redeem_code(page, codes[0])
    hold_for_order(codes[1])
    DiscountCode.objects.filter(pk=codes[2].pk).update(assigned_email="a@example.com")
    assert [row["Redeemed"] for row in exported(page)] == ["Yes", "No", "No", "No"]


def test_codes_that_are_off_are_listed_only_with_all() -> None:
    page = publish_contract(make_source_course(), cap=4)
    codes = codes_of(page)
    change_terms(page, max_learners=1)
    assert [row["Code"] for row in exported(page)] == [codes[0].text]
    assert [row["Code"] for row in exported(page, everything=True)] == [code.text for code in codes]


def test_a_redeemed_code_is_listed_even_when_it_is_off() -> None:
    page = publish_contract(make_source_course(), cap=1)
    redeem_code(page, codes_of(page)[0])
    DiscountCode.objects.update(active=False)
    assert [row["Redeemed"] for row in exported(page)] == ["Yes"]


def test_a_code_whose_learner_was_removed_opens_nothing_and_is_left_out() -> None:
    page = publish_contract(make_source_course(), cap=2)
    learner = make_learner()
    use = redeem_code(page, codes_of(page)[0], learner)
    leave_seat(page, learner)
    use.state = UseState.RETIRED
    use.save()
    reconcile_contract(page)
    assert len(exported(page)) == 2
    assert use.code.text not in [row["Code"] for row in exported(page)]
    assert len(exported(page, everything=True)) == 3


def test_codes_of_removed_runs_are_listed_only_with_all() -> None:
    one = make_source_course()
    page = publish_contract(one, make_source_course(), cap=2)
    redeem_code(page, codes_of(page)[0])
    remove_courseware(RemoveCourseware(contract_id=page.pk, readable_id=one.readable_id), now=NOW)
    reconcile_contract(page)
    assert len(exported(page)) == 2
    assert len(exported(page, everything=True)) == 4


def test_another_contracts_codes_are_not_in_it() -> None:
    page = publish_contract(make_source_course(), cap=1, name="One")
    publish_contract(make_source_course(), cap=5, name="Other")
    assert len(exported(page)) == 1


def test_a_cell_does_not_become_a_formula() -> None:
    page = publish_contract(make_source_course(), cap=1)
    CourseRun.all_objects.filter(contract_run__contract=page).update(title="=cmd()")
    assert exported(page)[0]["Product"].startswith("'=cmd()")


@pytest.mark.parametrize("cap", [3, 40])
def test_the_number_of_queries_does_not_grow(cap: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "CHUNK", 10)
    page = publish_contract(make_program_of(make_source_course(), make_source_course()), cap=cap)
    told: list[int] = []
    out = StringIO()
    with CaptureQueriesContext(connection) as queries:
        written = write_codes(out, contract_id=page.pk, progress=told.append)
    # The transaction and the one cursor in it.
    assert (written, len(queries)) == (2 * cap, 3)
    assert len(told) == written // 10
