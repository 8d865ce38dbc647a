"""What a code is: one answer for every list, page and file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from b2b.codes import MANAGED_STATES, in_managed_state, with_code_facts
from b2b.enums import ManagedCodeState
from b2b.models import ContractRun
from b2b.selectors.codes import CodeFilter, code_file, code_page, runs_of
from b2b.selectors.handouts import waiting_addresses
from b2b.selectors.lots import ContractLot
from b2b.selectors.managers import count_codes
from ecommerce.codes import NEVER_TAKEN, code_state, in_state, redeem_url
from ecommerce.enums import CodeState, UseState
from ecommerce.models import CodeUse, DiscountCode
from tests.b2b.worlds import NOW, codes_of, hold_for_order, make_source_course, publish_contract, redeem_code

ROOT = Path(__file__).resolve().parents[2]
PLACE = "ecommerce/codes.py"
USES = (None, UseState.RELEASED, UseState.HELD, UseState.CONFIRMED, UseState.RETIRED)


def expected(use: UseState | None, *, active: bool, assigned: bool, removed: bool) -> CodeState:
    match use:
        case UseState.CONFIRMED:
            return CodeState.USED
        case UseState.HELD:
            return CodeState.HELD
        case UseState.RETIRED:
            return CodeState.WITHDRAWN
    if removed or not active:
        return CodeState.OFF
    return CodeState.ASSIGNED if assigned else CodeState.FREE


def test_every_reader_sees_the_same_state() -> None:
    combinations = list(product(USES, (True, False), (True, False)))
    page = publish_contract(make_source_course(), make_source_course(), cap=len(combinations))
    gone, _current = ContractRun.objects.filter(contract=page).order_by("pk")
    want: dict[int, CodeState] = {}
    for run in ContractRun.objects.filter(contract=page):
        run_codes = [code for code in codes_of(page) if code.discount.unlocks_id == run.product_id]
        for number, (code, (use, active, assigned)) in enumerate(zip(run_codes, combinations, strict=True)):
            if use is not None:
                made = hold_for_order(code)
                released = use == UseState.RELEASED
                CodeUse.objects.filter(pk=made.pk).update(state=use)
                DiscountCode.objects.filter(pk=code.pk).update(uses=0 if released else 1)
            email = f"learner{number}@example.com" if assigned else ""
            DiscountCode.objects.filter(pk=code.pk).update(active=active, assigned_email=email)
            want[code.pk] = expected(use, active=active, assigned=assigned, removed=run == gone)
    ContractRun.objects.filter(pk=gone.pk).update(removed_at=NOW)
    assert set(want.values()) == set(CodeState)

    rows = with_code_facts(DiscountCode.objects.all())
    assert {row.pk: code_state(row) for row in rows} == want
    for state in CodeState:
        assert set(rows.filter(in_state(state)).values_list("pk", flat=True)) == {
            pk for pk, each in want.items() if each is state
        }
    both = rows.filter(in_state(CodeState.FREE, CodeState.USED)).count()
    assert both == sum(each in (CodeState.FREE, CodeState.USED) for each in want.values())
    runs = runs_of(page.pk)
    for state in CodeState:
        listed = code_page(runs=runs, code_filter=CodeFilter(state=state.value), now=NOW, size=100)
        assert {line.pk for line in listed.lines} == {pk for pk, each in want.items() if each is state}
    texts = dict(DiscountCode.objects.values_list("text", "pk"))
    _headings, *lines = code_file(contract_id=page.pk, code_filter=CodeFilter())
    assert {texts[line[0]]: line[5] for line in lines} == {pk: str(state.label) for pk, state in want.items()}

    in_force = set(DiscountCode.objects.exclude(discount__unlocks=gone.product_id).values_list("pk", flat=True))
    current = {pk: state for pk, state in want.items() if pk in in_force}
    counts = count_codes(ContractLot(page.pk), now=NOW)
    assert counts.pop("failed") == 0
    assert counts == {
        managed.value: sum(each is state for each in current.values()) for state, managed in MANAGED_STATES.items()
    }
    assigned_to = DiscountCode.objects.filter(pk__in=[pk for pk, each in current.items() if each is CodeState.ASSIGNED])
    assert waiting_addresses(page.pk).without_seat == set(assigned_to.values_list("assigned_email", flat=True))
    never_taken = rows.filter(NEVER_TAKEN, discount__unlocks__contract_run__removed_at__isnull=True)
    assert {row.pk for row in never_taken} == {pk for pk, each in current.items() if each is CodeState.FREE}


def test_a_shared_code_stays_free_until_someone_uses_it() -> None:
    page = publish_contract(make_source_course())
    (shared,) = with_code_facts(DiscountCode.objects.filter(pk__in=[code.pk for code in codes_of(page)]))
    assert code_state(shared) is CodeState.FREE
    redeem_code(page, shared)
    (shared,) = with_code_facts(DiscountCode.objects.filter(pk=shared.pk))
    assert code_state(shared) is CodeState.USED


def test_managers_have_a_word_for_every_state() -> None:
    assert set(MANAGED_STATES) == set(CodeState)
    assert set(MANAGED_STATES.values()) | {ManagedCodeState.FAILED} == set(ManagedCodeState)
    assert all(in_managed_state(each) for each in ManagedCodeState)


# --- No second answer -----------------------------------------------------------------------------------------------

BY_COUNTER = re.compile(r"(^|__)uses__(exact|gte?|lte?|in|range)$")
ADDRESSES = re.compile(r"/enrollmentcode/$|/cart/add/\?")
# Ask for codes that were given to someone whatever became of them: of removed runs, which come back (ASSIGNED again),
# and of hand-outs, whose uses are looked up apart.
OTHERS = {"b2b/selectors/handouts.py", "b2b/services/handouts/assign.py"}


def offences(source: str) -> list[str]:
    """Return what in this source decides by itself what a code is, or writes its address."""
    tree = ast.parse(source)
    return [f"{getattr(node, 'lineno', 0)}: {why}" for node in ast.walk(tree) for why in _why(node)]


def _why(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):
        parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
        if any(ADDRESSES.search(str(part)) for part in parts):
            yield "writes the address of a code or product"
    if isinstance(node, ast.ClassDef):
        names = {target.id for each in node.body if isinstance(each, ast.Assign) for target in _targets(each)}
        if {"ASSIGNED", "FREE"} <= names or {"USED", "WITHDRAWN"} <= names or {"INVITED", "JOINED"} <= names:
            yield "lists the states of a code"
    if isinstance(node, ast.Call):
        names = {keyword.arg for keyword in node.keywords if keyword.arg}
        if any(BY_COUNTER.search(name) for name in names):
            yield "asks for codes by their counter"
        if {"active", "assigned_email"} <= names:
            yield "asks for codes by their columns"


def _targets(node: ast.Assign) -> Iterator[ast.Name]:
    return (target for target in node.targets if isinstance(target, ast.Name))


def modules() -> list[str]:
    found = [path for app in ("api", "b2b", "frontend") for path in (ROOT / app).rglob("*.py")]
    left_out = {"b2b/codes.py", "b2b/enums.py", *OTHERS}
    names = [str(path.relative_to(ROOT)) for path in found if "migrations" not in path.parts]
    return sorted(name for name in names if name not in left_out and "demo" not in name)


def test_no_other_module_decides_what_a_code_is() -> None:
    found = {name: offences((ROOT / name).read_text(encoding="utf-8")) for name in modules()}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("codes.filter(active=True, assigned_email='')", "asks for codes by their columns"),
        ("Q(uses__gte=F('max_uses'))", "asks for codes by their counter"),
        ("codes.filter(code__uses__gt=0)", "asks for codes by their counter"),
        ("class State:\n    FREE = 1\n    ASSIGNED = 2", "lists the states of a code"),
        ("f'{base}/enrollmentcode/{text}/'", "writes the address of a code or product"),
        ("f'{base}/cart/add/?product_id={pk}'", "writes the address of a code or product"),
    ],
)
def test_a_second_answer_is_found(source: str, why: str) -> None:
    assert offences(source) == [f"1: {why}"]


def test_the_place_itself_would_be_found() -> None:
    assert offences((ROOT / PLACE).read_text(encoding="utf-8"))
    assert redeem_url("ABC").endswith("/enrollmentcode/ABC/")
