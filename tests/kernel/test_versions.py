"""Versions advance with what changes, whoever changes it and however, and nobody is told an old one as the present."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from pytest_django import Settings
from redis.exceptions import RedisError

from cms.models import SiteBrand
from courses.models import Course, CourseRun
from dev.embedded.address import free_port
from ecommerce.models import Product
from mitxonline.kernel import versions
from mitxonline.kernel.models import VersionChange
from mitxonline.kernel.version_triggers import install_triggers
from mitxonline.kernel.versions import current_versions, find_next_moment, read_versions
from mitxonline.shared.listening import listen_once
from tests.factories import NOON, make_product, make_run, make_user
from tests.factories.pages import make_content_page, make_home
from tests.support.together import Together

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _kept_versions(settings: Settings) -> Iterator[None]:
    settings.SHARED_PAGES = True
    settings.VERSIONS_KEY = f"test-{uuid4().hex}"
    versions._moments.clear()
    forget_outage()
    yield
    forget_outage()
    versions._state.unsettled = None


def forget_outage() -> None:
    versions._paused_until = versions._away_until = 0.0
    versions._seen = None


def numbers() -> dict[str, str]:
    return read_versions(now=NOON).numbers


def changed_by(change: Callable[[], object]) -> set[str]:
    before = numbers()
    change()
    after = numbers()
    return {name for name in after if after[name] != before.get(name)}


def raise_after(_done: object) -> None:
    raise ZeroDivisionError


def test_each_way_of_writing_advances_the_version() -> None:
    run, other = make_run(), make_run()
    product = make_product(run)
    course = run.course
    ways: list[tuple[Callable[[], object], set[str]]] = [
        (lambda: Product.objects.filter(pk=product.pk).update(price=5), {"prices"}),
        (lambda: connection.cursor().execute("UPDATE courses_course SET title = 'Another'"), {"catalog"}),
        (lambda: Course.objects.bulk_update([Course(pk=course.pk, title="Third")], ["title"]), {"catalog"}),
        (lambda: CourseRun.all_objects.filter(pk=other.pk).delete(), {"catalog"}),
        (lambda: course.topics.create(name="Trees", slug="trees"), {"catalog"}),
    ]
    for change, expected in ways:
        assert changed_by(change) == expected


def test_sql_with_an_empty_search_path_counts_as_that_of_a_restore_has() -> None:
    make_product()

    def change() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL search_path = ''")
            cursor.execute("UPDATE public.ecommerce_product SET price = 3")
            cursor.execute("UPDATE public.ecommerce_product SET price = 4")

    assert changed_by(change) == {"prices"}


def test_pages_brand_and_menus_have_versions_of_their_own() -> None:
    home = make_home()
    page = make_content_page()
    brand = SiteBrand.for_site(home.get_site())

    def publish() -> None:
        page.title = "Anew"
        page.save_revision().publish()

    assert "content" in changed_by(publish)
    brand.tagline = "Anew"
    assert changed_by(brand.save) == {"brand"}


def test_a_draft_advances_nothing_until_it_is_published() -> None:
    page, other = make_content_page(), make_content_page("terms")

    def save_draft() -> None:
        page.title = "A draft"
        page.save_revision()

    assert changed_by(save_draft) == set()
    assert changed_by(lambda: page.get_latest_revision().publish()) == {"content"}
    assert changed_by(other.unpublish) == {"content"}


def test_what_changes_no_row_advances_nothing() -> None:
    product = make_product()
    assert changed_by(lambda: Product.objects.filter(pk=product.pk).update(price=product.price)) == set()
    assert changed_by(lambda: Product.objects.filter(pk=0).update(price=5)) == set()
    assert changed_by(make_user) == set()


def test_a_failed_transaction_and_a_rolled_back_savepoint_advance_nothing() -> None:
    product = make_product()

    def fail() -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            raise_after(Product.objects.update(price=7))

    assert changed_by(fail) == set()

    def change_after_a_savepoint() -> None:
        with transaction.atomic():
            fail()
            Product.objects.filter(pk=product.pk).update(price=8)

    assert changed_by(change_after_a_savepoint) == {"prices"}


def test_emptying_a_table_advances_its_version() -> None:
    make_product()
    assert "prices" in changed_by(lambda: connection.cursor().execute("TRUNCATE ecommerce_product CASCADE"))


def test_two_open_transactions_dont_wait_for_each_other_and_both_count(together: Together) -> None:
    first, second = make_product(), make_product()
    before = numbers()
    with transaction.atomic():
        Product.objects.filter(pk=first.pk).update(price=1)
        (inner,) = together(lambda: (Product.objects.filter(pk=second.pk).update(price=2), numbers())[1])
    assert len({before["prices"], inner["prices"], numbers()["prices"]}) == 3


def test_triggers_are_on_all_versioned_tables_and_only_there(settings: Settings) -> None:
    def tables() -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'kernel\\_version\\_%'")
            return {table for (table,) in cursor.fetchall()}

    listed = {label for labels in django_settings.VERSIONS.values() for label in labels}
    models = apps.get_models(include_auto_created=True)
    assert tables() == {model._meta.db_table for model in models if model._meta.label in listed}
    settings.VERSIONS = {"catalog": ["courses.Course"]}
    install_triggers()
    assert tables() == {"courses_course"}


def test_versions_are_read_from_redis_once_it_may_vouch_for_them(django_assert_num_queries: object) -> None:
    now = datetime.now(UTC)
    known = current_versions(now=now)
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert current_versions(now=now) == known


def test_after_a_change_the_old_version_is_never_read_again() -> None:
    product, now = make_product(), datetime.now(UTC)
    for price in range(20):
        known = current_versions(now=now)
        Product.objects.filter(pk=product.pk).update(price=price + 1)
        assert current_versions(now=now) != known


def test_a_reader_that_began_before_a_change_doesnt_vouch_for_what_it_read(
    together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    product, now = make_product(), datetime.now(UTC)
    original = versions.read_versions

    def read_then_change(*, now: datetime) -> versions.Versions:
        found = original(now=now)
        monkeypatch.setattr(versions, "read_versions", original)
        together(lambda: Product.objects.filter(pk=product.pk).update(price=3))
        return found

    monkeypatch.setattr(versions, "read_versions", read_then_change)
    old = current_versions(now=now)
    assert current_versions(now=now) == original(now=now) != old


def test_without_redis_versions_come_from_the_database(settings: Settings) -> None:
    product, now = make_product(), datetime.now(UTC)
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    before = current_versions(now=now)
    Product.objects.filter(pk=product.pk).update(price=3)
    assert current_versions(now=now) == read_versions(now=now) != before


def test_a_change_that_redis_cant_be_told_waits_until_its_word_is_over(settings: Settings) -> None:
    product, now, url = make_product(), datetime.now(UTC), settings.REDIS_URL
    settings.VERSIONS_LEASE_SECONDS = 0.5
    before = current_versions(now=now)
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    Product.objects.filter(pk=product.pk).update(price=3)
    settings.REDIS_URL = url
    assert current_versions(now=now) == before, "the control: Redis still says the old version"
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    versions.settle()
    settings.REDIS_URL = url
    assert current_versions(now=now) != before


def test_a_change_is_told_as_soon_as_redis_is_back(settings: Settings) -> None:
    product, now, url = make_product(), datetime.now(UTC), settings.REDIS_URL
    settings.VERSIONS_LEASE_SECONDS = 60
    before = current_versions(now=now)
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    Product.objects.filter(pk=product.pk).update(price=3)
    settings.REDIS_URL = url
    versions.settle()
    assert current_versions(now=now) != before


def test_changes_by_hand_are_heard(settings: Settings) -> None:
    product, now = make_product(), datetime.now(UTC)
    settings.VERSIONS_LEASE_SECONDS = 60
    listen_once(rounds=0)
    before = current_versions(now=now)
    where = connection.settings_dict
    with psycopg.connect(
        dbname=where["NAME"], user=where["USER"], host=where["HOST"], port=where["PORT"], password=where["PASSWORD"]
    ) as other:
        other.execute("UPDATE ecommerce_product SET price = 3 WHERE id = %s", [product.pk])
    assert current_versions(now=now) == before, "the control: no one told Redis"
    listen_once(rounds=1)
    assert current_versions(now=now) != before


def test_the_next_moment_is_the_first_time_in_any_versioned_table() -> None:
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    assert find_next_moment(now=NOON) == midnight
    make_run(enrollment_end=NOON + timedelta(hours=3))
    run = make_run(enrollment_start=NOON + timedelta(hours=2), start_date=NOON + timedelta(days=9))
    opens = NOON + timedelta(hours=2)
    assert find_next_moment(now=NOON) == opens
    assert find_next_moment(now=opens) == opens + timedelta(microseconds=1)
    assert find_next_moment(now=opens + timedelta(microseconds=1)) == NOON + timedelta(hours=3)
    run.delete()
    assert find_next_moment(now=NOON) == NOON + timedelta(hours=3)


def test_with_the_database_away_the_last_versions_hold_for_a_while(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    now = datetime.now(UTC)
    known = current_versions(now=now)
    versions._client().delete(versions._key("known"))  # as after a lease

    def fail(**_kwargs: object) -> None:
        raise OperationalError

    monkeypatch.setattr(versions, "read_versions", fail)
    assert current_versions(now=now) == known
    with pytest.raises(OperationalError):
        current_versions(now=known.until)


def test_with_redis_and_the_database_away_the_process_knows_them_for_a_while_and_asks_in_one_thread(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    now, asked = datetime.now(UTC), list[str]()
    known = current_versions(now=now)
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"

    def fail(**_kwargs: object) -> None:
        asked.append("database")
        raise OperationalError

    monkeypatch.setattr(versions, "read_versions", fail)
    assert [current_versions(now=now) for _each in range(3)] == [known] * 3
    assert len(asked) == 1, "others don't wait for a database that was away just now"
    with pytest.raises(OperationalError):
        current_versions(now=known.until)
    versions.revoke()
    with pytest.raises(OperationalError):
        current_versions(now=now)
    assert len(asked) == 1
    versions._away_until = 0.001  # a moment later one of them asks again
    with pytest.raises(OperationalError):
        current_versions(now=now)
    assert len(asked) == 2


def test_a_grant_that_the_network_held_up_until_its_lease_was_over_is_none(settings: Settings) -> None:
    settings.VERSIONS_LEASE_SECONDS = 0.0
    generation, ends = versions._read_generation()
    versions._grant(generation, read_versions(now=NOON), ends)
    assert versions._client().get(versions._key("known")) is None
    settings.VERSIONS_LEASE_SECONDS = 5.0
    generation, ends = versions._read_generation()
    versions._grant(generation, read_versions(now=NOON), ends)
    assert 0 < versions._client().pttl(versions._key("known")) <= 5000


def test_a_full_redis_can_be_told_of_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    product, now = make_product(), datetime.now(UTC)
    known, redis = current_versions(now=now), versions._client()
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(RedisError):
            redis.set("anything", 1)
        Product.objects.filter(pk=product.pk).update(price=3)
        assert versions._state.unsettled is None
    finally:
        redis.config_set("maxmemory", 0)
    assert current_versions(now=now) != known


def test_who_changes_much_without_redis_doesnt_wait_for_it_each_time(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    product, tried = make_product(), list[str]()
    settings.VERSIONS_LEASE_SECONDS = 0.1

    def fail() -> bool:
        tried.append("Redis")
        return False

    monkeypatch.setattr(versions, "_try_to_revoke", fail)
    for price in range(5):
        Product.objects.filter(pk=product.pk).update(price=price + 1)
    assert len(tried) == 1
    versions.settle()
    assert versions._state.unsettled is None


def test_all_versions_are_advanced_on_request() -> None:
    now = datetime.now(UTC)
    known = current_versions(now=now)
    before = numbers()
    call_command("refresh_pages")
    assert all(after != before.get(name) for name, after in numbers().items())
    assert current_versions(now=now) != known


def test_putting_old_changes_together_changes_no_version() -> None:
    for price in range(3):
        product = make_product(price=str(price + 1))
        product.delete()
    VersionChange.objects.update(at=datetime.now(UTC) - timedelta(days=3))
    before, rows = numbers(), VersionChange.objects.count()
    assert versions.compact_versions() == len(before) < rows
    assert (numbers(), VersionChange.objects.count()) == (before, len(before))
