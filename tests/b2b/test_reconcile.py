"""Reconciling a contract: repeated, at once, killed half way, recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from threading import Event
from typing import Any, Unpack

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from b2b import receivers
from b2b.enums import IntegrationType, ReconcileState
from b2b.errors.contracts import ContractNotPublished, ContractUnknown, CourseKeyImpossible
from b2b.events import ReconcileRequested
from b2b.models import ContractPage, ContractTerms, Reconcile
from b2b.requests import request_reconcile
from b2b.services.contracts import reconcile
from b2b.services.contracts.contracts import ModifyContract, PageChanges, modify_contract
from b2b.services.contracts.pages import add_child
from b2b.services.contracts.reconcile import contract_lock, run_reconcile
from b2b.services.contracts.terms import bring_into_force
from courses.models import CourseRun
from ecommerce.models import Discount, DiscountCode, OrderLine, Product
from ecommerce.services.discounts import batches
from ecommerce.services.discounts.codes import release_uses
from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel import clock
from mitxonline.kernel.db import LockTaken, fetch_sql
from tests.b2b.worlds import (
    NOW,
    active_codes_of,
    change_terms,
    codes_of,
    ensure_organization_page,
    hold_for_order,
    make_program_of,
    make_source_course,
    publish_contract,
    reconcile_contract,
    redeem_code,
    require_courses,
    runs_of,
    terms_of,
)
from tests.support.broker import until
from tests.support.together import MeetAt, Together

WRITES = ("INSERT", "UPDATE", "DELETE")


def requests() -> list[Delivery]:
    return list(Delivery.objects.filter(event_type=ReconcileRequested.type_name()).order_by("pk"))


def ask(page: ContractPage, **options: Any) -> Reconcile:
    return request_reconcile(contract_id=page.pk, reason="test", now=NOW, **options)


def unsettled(cap: int = 5, runs: int = 2) -> ContractPage:
    return publish_contract(make_program_of(*[make_source_course() for _ in range(runs)]), cap=cap, settled=False)


class Killed(BaseException):
    """The process is killed."""


@contextmanager
def killed_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> Iterator[None]:
    """Kill the work before its next short transaction."""
    done = 0
    step = reconcile._step

    @contextmanager
    def fragile(terms: ContractTerms) -> Iterator[None]:
        nonlocal done
        done += 1
        if done > steps:
            raise Killed
        with step(terms):
            yield

    with monkeypatch.context() as patch:
        patch.setattr(reconcile, "_step", fragile)
        with pytest.raises(Killed):
            yield


class TestRequests:
    """Requests, and merging several into one."""

    def test_publishing_and_adding_courseware_is_one_request(self) -> None:
        page = publish_contract(make_source_course(), make_source_course(), settled=False)
        assert Reconcile.objects.filter(state=ReconcileState.WAITING).count() == 1
        assert len(requests()) == 1
        assert requests()[0].payload == {"contract_id": page.pk}

    def test_while_one_runs_the_next_request_waits(self) -> None:
        page = publish_contract()
        running = Reconcile.objects.create(contract=page, requested_at=NOW, state=ReconcileState.RUNNING)
        assert ask(page).pk != running.pk
        assert ask(page) == ask(page)

    def test_one_that_waited_long_is_sent_again(self) -> None:
        page = publish_contract(settled=False)
        request_reconcile(contract_id=page.pk, reason="", now=NOW + timedelta(minutes=1))
        assert len(requests()) == 1
        request_reconcile(contract_id=page.pk, reason="", now=NOW + timedelta(days=400))
        assert len(requests()) == 2

    def test_merged_requests_keep_the_first_reason_and_person(self) -> None:
        page = publish_contract()
        first = ask(page)
        again = request_reconcile(contract_id=page.pk, reason="other", now=NOW)
        assert (again.pk, again.reason) == (first.pk, "test")

    def test_a_hundred_saves_at_once_are_one_request(self, together: Together) -> None:
        page = publish_contract()
        results = together(*[lambda: ask(page)] * 8)
        assert len({record.pk for record in results}) == 1
        assert len(requests()) == 2  # one for the publication, one for all of these

    def test_a_changed_program_asks_for_its_contracts_once(self) -> None:
        both = make_program_of(make_source_course(), make_source_course())
        page = publish_contract(both, cap=1, name="With the program")
        publish_contract(make_source_course(), cap=1, name="Without")
        require_courses(both, make_source_course(), make_source_course())
        both.requirements.order_by("pk")[0].delete()
        waiting = Reconcile.objects.filter(state=ReconcileState.WAITING)
        assert [request.contract_id for request in waiting] == [page.pk]
        reconcile_contract(page)
        assert len(runs_of(page)) == 4

    def test_a_request_in_an_open_transaction_is_not_overtaken(self, together: Together) -> None:
        """The runner takes the waiting request only when what it was asked for can be seen."""
        page = publish_contract(make_source_course(), cap=2)
        ask(page)

        def slow_change() -> None:
            with transaction.atomic():
                modify_contract(ModifyContract(contract_id=page.pk, changes={"max_learners": 4}), now=NOW)

        together(slow_change, lambda: reconcile_contract(page), lambda: reconcile_contract(page))
        reconcile_contract(page)
        assert len(active_codes_of(page)) == 4
        assert terms_of(page).reconciled_revision_id == terms_of(page).revision_id


def test_the_worker_does_what_was_asked() -> None:
    page = unsettled(cap=5, runs=2)
    (delivery,) = requests()
    assert run_delivery(delivery_id=delivery.pk, now=clock.now())
    assert len(active_codes_of(page)) == 10
    assert Reconcile.objects.get().state == ReconcileState.DONE
    assert not run_delivery(delivery_id=delivery.pk, now=clock.now())


class TestRecord:
    def test_the_record_has_the_terms_before_and_after(self) -> None:
        page = unsettled(cap=5, runs=2)
        record = reconcile_contract(page)
        record.refresh_from_db()
        assert record.state == ReconcileState.DONE
        assert record.before == {"runs": 0, "products": 0, "codes": 0, "codes_off": 0}
        assert record.after == {
            "runs": 2,
            "products": 2,
            "codes": 10,
            "codes_off": 0,
            "changes": {"runs_made": 2, "products_made": 2, "codes_make": 10},
        }
        assert record.finished_at is not None
        assert record.error == ""
        assert terms_of(page).reconciled_revision_id == terms_of(page).revision_id

    def test_a_reconcile_without_changes_writes_nothing(self) -> None:
        page = publish_contract(make_source_course(), cap=2)
        with CaptureQueriesContext(connection) as queries:
            assert reconcile_contract(page).pk is None
        assert [query["sql"] for query in queries if query["sql"].startswith(WRITES)] == []

    def test_a_request_without_changes_is_marked_done(self) -> None:
        page = publish_contract(make_source_course(), cap=2)
        asked = ask(page)
        assert reconcile_contract(page).pk == asked.pk
        asked.refresh_from_db()
        assert asked.state == ReconcileState.DONE
        assert asked.before == {name: count for name, count in asked.after.items() if name != "changes"}

    def test_a_failure_says_why_and_the_next_one_goes_on_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        page = unsettled()

        def broken(*args: object, **kwargs: object) -> int:
            raise DatabaseError("the disk is full of names and addresses")

        with monkeypatch.context() as patch:
            patch.setattr(reconcile, "make_codes", broken)
            with pytest.raises(DatabaseError):
                reconcile_contract(page)
        record = Reconcile.objects.get()
        assert record.state == ReconcileState.FAILED
        assert record.error.startswith("django.db.utils.DatabaseError at b2b/test_reconcile.py")
        assert "addresses" not in record.error
        assert reconcile_contract(page).pk == record.pk
        record.refresh_from_db()
        assert (record.state, record.error) == (ReconcileState.DONE, "")
        assert len(active_codes_of(page)) == 10

    def test_a_refusal_is_recorded_in_its_words(self) -> None:
        page = publish_contract(make_source_course(), settled=False)
        owner = page.get_parent().specific
        owner.org_key_prefix = "not a key "
        type(owner).objects.filter(pk=owner.pk).update(org_key_prefix="not a key ")
        with pytest.raises(CourseKeyImpossible):
            reconcile_contract(page)
        assert "Open edX would refuse" in Reconcile.objects.get().error

    def test_a_draft_has_nothing_to_bring_in_line(self) -> None:
        page = add_child(
            parent_id=ensure_organization_page().pk, make=lambda: ContractPage(title="D", name="D", live=False)
        )
        with pytest.raises(ContractNotPublished):
            reconcile_contract(page)
        with pytest.raises(ContractUnknown):
            run_reconcile(contract_id=99, now=NOW)
        receivers.reconcile_contract(ReconcileRequested(contract_id=page.pk))
        receivers.reconcile_contract(ReconcileRequested(contract_id=99))


class TestInterrupted:
    """A killed reconcile continues where it stopped."""

    @pytest.mark.parametrize("steps", [0, 1, 2, 3])
    def test_a_killed_run_is_continued(self, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
        monkeypatch.setattr(batches, "BATCH", 4)
        page = unsettled(cap=5, runs=2)
        with killed_after(monkeypatch, steps):
            reconcile_contract(page)
        record = Reconcile.objects.get()
        assert record.state == ReconcileState.RUNNING
        assert len(codes_of(page)) == max(0, steps - 1) * 4
        assert reconcile_contract(page).pk == record.pk
        record.refresh_from_db()
        assert record.state == ReconcileState.DONE
        assert record.before["codes"] == 0
        assert len(active_codes_of(page)) == len(codes_of(page)) == 10
        assert len(runs_of(page)) == 2

    def test_one_that_was_killed_and_one_that_waits_are_done_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        page = unsettled()
        with killed_after(monkeypatch, 1):
            reconcile_contract(page)
        waiting = ask(page)
        assert reconcile_contract(page).pk == waiting.pk
        states = Reconcile.objects.order_by("pk").values_list("state", flat=True)
        assert list(states) == [ReconcileState.FAILED, ReconcileState.DONE]

    def test_a_killed_change_of_the_cap_is_continued(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(batches, "BATCH", 3)
        page = publish_contract(make_source_course(), cap=20)
        texts = [code.text for code in codes_of(page)]
        change_terms(page, max_learners=2, settled=False)
        with killed_after(monkeypatch, 2):
            reconcile_contract(page)
        assert 2 < len(active_codes_of(page)) < 20
        reconcile_contract(page)
        assert [code.text for code in active_codes_of(page)] == texts[:2]


class TestTermsThatMove:
    """Other terms come into force while the first ones are being followed."""

    def test_the_new_terms_win(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(batches, "BATCH", 3)
        page = unsettled(cap=9, runs=1)
        meanwhile(monkeypatch, page, after=2, max_learners=4)
        reconcile_contract(page)
        assert len(active_codes_of(page)) == 4
        assert terms_of(page).reconciled_revision_id == terms_of(page).revision_id

    def test_a_contract_that_is_switched_off_meanwhile_gets_no_more_codes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batches, "BATCH", 3)
        page = unsettled(cap=9, runs=1)
        meanwhile(monkeypatch, page, after=2, active=False)
        reconcile_contract(page)
        assert len(codes_of(page)) == 3


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, page: ContractPage, *, after: int, **changes: Unpack[PageChanges]
) -> None:
    """Publish other terms after this many steps of the work."""
    step = reconcile._step
    done = 0

    @contextmanager
    def eventful(terms: ContractTerms) -> Iterator[None]:
        nonlocal done
        done += 1
        if done == after + 1:
            modify_contract(ModifyContract(contract_id=page.pk, changes=changes), now=NOW)
        with step(terms):
            yield

    monkeypatch.setattr(reconcile, "_step", eventful)


class TestAtOnce:
    """Several at the same time on real PostgreSQL."""

    def test_two_at_once_make_each_thing_once(self, together: Together, meet_at: MeetAt) -> None:
        page = unsettled(cap=50, runs=3)
        meet_at(reconcile, "plan_reconcile", parties=2, patience=0.3)
        results = together(lambda: reconcile_contract(page), lambda: reconcile_contract(page))
        assert [result for result in results if isinstance(result, Exception)] == []
        assert len(active_codes_of(page)) == 150
        assert (len(runs_of(page)), Product.objects.count(), Discount.objects.count()) == (3, 3, 3)

    def test_without_the_contracts_lock_they_would_not(
        self, together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The control of the test above: if this fails, that one proves nothing."""

        @contextmanager
        def no_lock(contract_id: int, *, wait: bool = True) -> Iterator[None]:
            yield

        page = publish_contract(make_source_course(), cap=20)
        change_terms(page, max_learners=50, settled=False)
        monkeypatch.setattr(reconcile, "contract_lock", no_lock)
        meeting = meet_at(reconcile, "plan_reconcile", parties=2, patience=5)
        together(lambda: reconcile_contract(page), lambda: reconcile_contract(page))
        assert meeting.happened
        assert len(codes_of(page)) > 50

    def test_a_worker_does_not_wait_for_another_one(self, together: Together) -> None:
        page = unsettled()

        def work_inside() -> object:
            with contract_lock(page.pk):
                results = together(lambda: receivers.reconcile_contract(ReconcileRequested(contract_id=page.pk)))
                reconcile_contract(page)  # the one who has the lock is not in its own way
                return results[0]

        assert isinstance(work_inside(), LockTaken)
        assert len(active_codes_of(page)) == 10

    def test_codes_redeemed_while_the_cap_falls_stay(self, together: Together) -> None:
        page = publish_contract(make_source_course(), cap=40)
        codes = codes_of(page)
        change_terms(page, max_learners=1, settled=False)

        def spend(code: DiscountCode) -> Callable[[], bool]:
            def call() -> bool:
                with transaction.atomic():
                    ContractTerms.objects.locked().get(pk=page.pk)
                    fresh = DiscountCode.objects.get(pk=code.pk)
                    if not fresh.active:
                        return False
                    redeem_code(page, fresh)
                    return True

            return call

        results = together(lambda: reconcile_contract(page), *[spend(code) for code in codes[-6:]])
        spent = [code.pk for code, was_spent in zip(codes[-6:], results[1:], strict=True) if was_spent is True]
        assert not [result for result in results if isinstance(result, Exception)]
        reconcile_contract(page)
        active = {code.pk for code in active_codes_of(page)}
        assert set(spent) <= active
        assert len(active) == max(1, len(spent))


class TestCosts:
    """Exact numbers of statements, at two sizes."""

    @pytest.mark.parametrize(("runs", "cap"), [(2, 3), (20, 200)])
    def test_a_new_contract_costs_the_same_whatever_its_size(
        self, runs: int, cap: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        page = unsettled(cap=cap, runs=runs)
        # One of them is the delivery that has Studio make the runs.
        with django_assert_num_queries(36):
            reconcile_contract(page)
        assert len(active_codes_of(page)) == runs * cap

    @pytest.mark.parametrize(("runs", "cap"), [(2, 3), (20, 50)])
    def test_again_costs_the_same_whatever_its_size(
        self, runs: int, cap: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        page = unsettled(cap=cap, runs=runs)
        reconcile_contract(page)
        with django_assert_num_queries(10):
            reconcile_contract(page)

    @pytest.mark.parametrize(("runs", "cap"), [(2, 3), (5, 60)])
    def test_a_price_change_costs_the_same_whatever_its_size(
        self, runs: int, cap: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        page = unsettled(cap=cap, runs=runs)
        reconcile_contract(page)
        ContractPage.objects.filter(pk=page.pk).update(enrollment_fixed_price=12)
        with django_assert_num_queries(20):
            bring_into_force(page_id=page.pk, now=NOW)
        with django_assert_num_queries(10):  # nothing is left to do
            reconcile_contract(page)

    @pytest.mark.parametrize(("runs", "cap"), [(2, 8), (5, 60)])
    def test_a_lower_cap_costs_the_same_whatever_its_size(
        self, runs: int, cap: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        page = unsettled(cap=cap, runs=runs)
        reconcile_contract(page)
        change_terms(page, max_learners=2, settled=False)
        with django_assert_num_queries(28):
            reconcile_contract(page)

    def test_codes_are_written_in_portions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(batches, "BATCH", 7)
        told: list[tuple[int, int]] = []
        page = unsettled(cap=10, runs=2)
        run_reconcile(contract_id=page.pk, now=NOW, progress=lambda done, total: told.append((done, total)))
        assert told == [(7, 20), (14, 20), (20, 20)]
        assert len(active_codes_of(page)) == 20

    def test_every_change_works_in_portions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(batches, "BATCH", 4)
        page = unsettled(cap=11, runs=3)
        reconcile_contract(page)
        texts = [code.text for code in codes_of(page)]
        change_terms(page, max_learners=None)
        assert {code.max_uses for code in active_codes_of(page)} == {None}
        hold_for_order(codes_of(page)[0])
        change_terms(page, max_learners=2)
        assert len(active_codes_of(page)) == 6
        assert {code.max_uses for code in active_codes_of(page)} == {1}
        change_terms(page, max_learners=9)
        assert len(active_codes_of(page)) == 27
        change_terms(page, integration_type=IntegrationType.SSO, max_learners=None)
        assert [code.text for code in codes_of(page)] == [texts[0]]


def test_no_run_is_ever_made_twice_for_a_course_that_two_requests_ask_for() -> None:
    one = make_source_course()
    page = publish_contract(one, make_program_of(one), cap=1)
    reconcile_contract(page)
    assert CourseRun.all_objects.filter(course=one, access="contract").count() == 1


class TestUsesThatAreGivenBack:
    """A cap is set while an order releases the shared code: the code's limit ends up at its actual uses."""

    @staticmethod
    def race(page: ContractPage, together: Together) -> DiscountCode:
        """One gives back, and commits when the other waits to set the limit, with what it saw before."""
        (code,) = codes_of(page)
        use = hold_for_order(code)
        change_terms(page, max_learners=2, settled=False)
        given_back = Event()

        def give_back() -> None:
            with transaction.atomic():
                assert release_uses(order_id=use.order_id or 0, now=NOW) == [code.pk]
                given_back.set()
                until(lambda: fetch_sql("SELECT 1 FROM pg_locks WHERE NOT granted"))

        def cap() -> None:
            assert given_back.wait(60)
            reconcile_contract(page)

        assert together(give_back, cap) == [None, None]
        return DiscountCode.objects.get(pk=code.pk)

    def test_a_release_during_the_recount_is_not_counted(self, together: Together) -> None:
        code = self.race(publish_contract(make_source_course()), together)
        assert (code.uses, code.max_uses) == (0, 1)

    def test_without_the_lock_on_uses_it_would_be(self, together: Together, monkeypatch: pytest.MonkeyPatch) -> None:
        """The control: if this fails, the test above proves nothing."""
        also = batches._COUNT_ROWS.replace("FOR SHARE OF use SKIP LOCKED", "")
        blind = replace(batches.LIMIT, also=also)
        changes = tuple((name, blind if name == "limit" else one) for name, one in reconcile._CHANGES)
        monkeypatch.setattr(reconcile, "_CHANGES", changes)
        code = self.race(publish_contract(make_source_course()), together)
        assert (code.uses, code.max_uses) == (1, 1)


class TestSavesAtOnce:
    """Two people publish the same contract at the same moment."""

    def test_the_terms_are_those_of_the_page_and_the_codes_follow(self, together: Together) -> None:
        page = publish_contract(make_source_course(), cap=2)

        def save(cap: int) -> Callable[[], None]:
            def call() -> None:
                mine = ContractPage.objects.get(pk=page.pk)
                mine.max_learners = cap
                mine.save_revision().publish()

            return call

        results = together(save(5), save(9), save(7))
        assert [result for result in results if result is not None] == []
        after = ContractPage.objects.get(pk=page.pk)
        assert terms_of(page).max_learners == after.max_learners
        assert terms_of(page).revision_id == after.live_revision_id
        assert Reconcile.objects.filter(state=ReconcileState.WAITING).count() == 1
        reconcile_contract(page)
        assert len(active_codes_of(page)) == after.max_learners


def test_a_price_change_leaves_past_orders_as_they_were() -> None:
    page = publish_contract(make_source_course(), cap=2, price="10")
    product = Product.objects.get(contract_run__contract=page)
    use = hold_for_order(codes_of(page)[0])
    assert use.order is not None
    line = OrderLine.objects.create(
        order=use.order,
        product=product,
        code=use.code,
        title="A course",
        sku=product.sku,
        item_id=product.item_id,
        mode=product.mode,
        list_price=10,
        discount_amount=0,
        due=10,
        currency="USD",
        requires_code=True,
    )
    change_terms(page, enrollment_fixed_price=Decimal(25))
    product.refresh_from_db()
    line.refresh_from_db()
    assert (product.price, line.list_price, line.due) == (25, 10, 10)
