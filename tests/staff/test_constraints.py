"""No one ever reads the name of a constraint: each has a sentence, and forms link to the row that is in the way."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.apps import apps
from django.core.management.base import CommandError
from django.db import IntegrityError, transaction
from django.test import Client, RequestFactory
from django.urls import reverse
from wagtail.models import Site

from courses.models import Course, CourseRun, Department
from ecommerce.models import Product
from ecommerce.wagtail_hooks.product_forms import ProductForm
from mitxonline.kernel.console import OperatorCommand
from mitxonline.kernel.constraints import describe_constraint, refusal_for
from mitxonline.kernel.db import fetch_sql
from mitxonline.kernel.http import DomainErrorMiddleware
from tests.factories import make_course, make_department, make_product, make_program_product, make_run, make_user
from tests.factories.orders import make_paid_order
from tests.support.forms import open_form, send_form

pytestmark = pytest.mark.django_db

OURS = ("mitxonline", "courses", "ecommerce", "b2b", "cms", "frontend", "reports")
MODELS = [model for model in apps.get_models() if model.__module__.split(".")[0] in OURS]
CONSTRAINTS = [(model, each) for model in MODELS for each in model._meta.constraints]

# The names with which functions of triggers refuse.
RAISED = "SELECT DISTINCT (regexp_matches(prosrc, 'CONSTRAINT = ''([a-z_]+)''', 'g'))[1] FROM pg_proc"


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def errors_of(response: Any) -> tuple[str, list[str]]:
    soup = BeautifulSoup(response.content.decode(), "html.parser")
    links = [
        str(each["href"])
        for each in soup.select(".error-message a, .help-critical a, .errorlist a, .w-field__errors a")
    ]
    return " ".join(soup.get_text(" ").split()), links


@pytest.mark.parametrize(("model", "constraint"), CONSTRAINTS, ids=[each.name for _model, each in CONSTRAINTS])
def test_every_constraint_has_a_sentence(model: Any, constraint: Any) -> None:
    sentence = describe_constraint(model, constraint)
    assert sentence.endswith("."), constraint.name
    assert constraint.name not in sentence
    assert "_" not in sentence


@pytest.mark.django_db
def test_no_sentence_is_about_a_constraint_that_is_gone() -> None:
    known = {each.name for _model, each in CONSTRAINTS} | {str(model._meta.model_name) for model in MODELS}
    known |= {name for (name,) in fetch_sql("SELECT DISTINCT tgname FROM pg_trigger WHERE NOT tgisinternal")}
    known |= {name for (name,) in fetch_sql(RAISED)}
    for config in apps.get_app_configs():
        assert set(getattr(config, "constraint_sentences", ())) <= known


class TestForms:
    def test_a_second_product_of_a_run_names_the_first(self, staff: Client) -> None:
        product = make_product(price="49")
        make_product(price="50")
        url = reverse(Product.snippet_viewset.get_url_name("add"))  # type: ignore[attr-defined]
        form = open_form(staff, url, having="sku")
        answer = send_form(staff, url, form, course_run=product.course_run_id, sku="TWICE", price="10")
        text, links = errors_of(answer)
        assert "Another product already sells this run in this mode." in text
        assert "product_once" not in text
        assert reverse(Product.snippet_viewset.get_url_name("edit"), args=[product.pk]) in links  # type: ignore[attr-defined]
        assert Product.objects.count() == 2

    def test_a_second_product_of_a_program(self, staff: Client) -> None:
        product = make_program_product(make_course())
        url = reverse(Product.snippet_viewset.get_url_name("add"))  # type: ignore[attr-defined]
        form = open_form(staff, url, having="sku")
        text, links = errors_of(send_form(staff, url, form, program=product.program_id, sku="TWICE", price="10"))
        assert "Another product already sells this program in this mode." in text
        assert links

    @pytest.mark.parametrize(
        ("make", "changes", "sentence"),
        [
            (lambda: make_department("Health"), {"slug": "health"}, "Another department already has this"),
            (lambda: make_department("Health"), {"name": "Health"}, "Another department already has this"),
        ],
    )
    def test_taken_values_name_who_has_them(self, staff: Client, make: Any, changes: Any, sentence: str) -> None:
        row, other = make(), make_department("Computing")
        url = reverse(Department.snippet_viewset.get_url_name("edit"), args=[other.pk])  # type: ignore[attr-defined]
        text, links = errors_of(send_form(staff, url, open_form(staff, url), **changes))
        assert sentence in text
        assert reverse(Department.snippet_viewset.get_url_name("edit"), args=[row.pk]) in links  # type: ignore[attr-defined]
        assert "already exists" not in text

    def test_a_course_and_a_run_with_a_taken_id(self, staff: Client) -> None:
        run = make_run()
        for model, changes in (
            (Course, {"readable_id": run.course.readable_id, "title": "x", "department": run.course.department_id}),
            (CourseRun, {"courseware_id": run.courseware_id, "course": run.course_id}),
        ):
            url = reverse(f"wagtailsnippets_courses_{model._meta.model_name}:add")
            form = open_form(staff, url, having=next(iter(changes)))
            text, links = errors_of(send_form(staff, url, form, **changes))
            assert "already exists" not in text
            assert links, (model, text)

    def test_what_only_the_database_noticed_is_said_too(self, staff: Client, monkeypatch: Any) -> None:
        product = make_product(price="49")
        monkeypatch.setattr(ProductForm, "validate_constraints", lambda form: None, raising=False)
        monkeypatch.setattr("mitxonline.staff.constraints.violated_constraints", lambda *_args: [])
        url = reverse(Product.snippet_viewset.get_url_name("add"))  # type: ignore[attr-defined]
        form = open_form(staff, url, having="sku")
        answer = send_form(staff, url, form, course_run=product.course_run_id, sku="TWICE", price="10")
        text, _links = errors_of(answer)
        assert answer.status_code == 200
        assert "Another product already sells this run in this mode." in text


def violate() -> IntegrityError:
    product = make_product(price="49")
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Product.objects.create(course_run=product.course_run, sku="TWICE", price=1, currency="USD")
    return caught.value


class TestOtherDoors:
    def test_a_command_says_the_sentence(self) -> None:
        error = violate()

        class Command(OperatorCommand):
            def handle(self, *args: Any, **options: Any) -> None:
                raise error

        with pytest.raises(CommandError, match="Another product already sells this run in this mode"):
            Command().execute(force_color=False, no_color=True, skip_checks=True, stdout=None, stderr=None)

    def test_a_program_reads_it_as_json(self) -> None:
        request = RequestFactory().post("/api/v0/x/")
        answer = DomainErrorMiddleware(lambda _request: None).process_exception(request, violate())  # type: ignore[arg-type,return-value]
        assert answer is not None
        assert answer.status_code == 409
        assert "Another product already sells this run in this mode." in answer.content.decode()

    def test_a_taken_sku_is_named(self) -> None:
        product = make_product(price="49")
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            Product.objects.create(course_run=make_run(), sku=product.sku, price=1, currency="USD")
        assert str(refusal_for(caught.value)) == "Another product already has this SKU."


def test_what_others_use_can_not_be_deleted(staff: Client) -> None:
    make_paid_order(make_product())
    site = Site.objects.get(is_default_site=True)
    answer = staff.post(reverse("wagtailsites:delete", args=[site.pk]))
    assert answer.status_code == 409
    assert "This can’t be deleted because orders use it." in answer.content.decode()
    assert Site.objects.filter(pk=site.pk).exists()
