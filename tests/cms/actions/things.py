"""What else the Wagtail admin keeps: snippets, people, groups, sites, redirects, collections, files and settings."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from wagtail.contrib.redirects.models import Redirect
from wagtail.contrib.settings.registry import registry as settings_registry
from wagtail.documents.models import Document
from wagtail.images.models import Image
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import Collection, Page, Site
from wagtail.snippets.models import get_snippet_models

from cms.models import Instructor, ProgramCollection
from courses.models import Course, CourseRun, Department, Program, Topic
from ecommerce.models import Customer, Product
from mitxonline.users.models import User
from tests.cms.actions.walker import Walker, fill
from tests.factories import make_course, make_department, make_product, make_run, make_user
from tests.factories.invoices import make_draft
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_program

_count = itertools.count(1)
Fields = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Thing:
    """A kind of row that the admin lists: `make` makes one that something refers to, `fields` fill its form.

    `names` are its addresses where they aren't called list, add, edit, delete, usage and history.
    """

    model: type[Model]
    namespace: str
    make: Callable[[], Model]
    fields: Fields
    names: dict[str, str] = field(default_factory=dict)

    def url(self, action: str, *args: object) -> str:
        return reverse(f"{self.namespace}:{self.names.get(action, action)}", args=args)


def _number() -> int:
    return next(_count)


def _title() -> dict[str, Any]:
    return {"title": f"Thing {_number()}"}


def _make_document() -> Document:
    document = Document(title="Plan")
    document.file.save(f"plan-{_number()}.txt", ContentFile(b"The plan"))
    return document


def _make_image() -> Image:
    return Image.objects.create(title="Picture", file=get_test_image_file())


def _make_buyer() -> User:
    buyer = make_user(name=f"Buyer {_number()}")
    make_paid_order(make_product(), buyer=buyer)
    return buyer


SNIPPETS: dict[type[Model], tuple[Callable[[], Model], Fields]] = {
    Course: (
        lambda: make_run().course,
        lambda: _title() | {"readable_id": f"course-v1:TesseraX+N{_number()}", "department": make_department().pk},
    ),
    CourseRun: (
        make_run,
        lambda: {"course": (course := make_course()).pk, "courseware_id": f"{course.readable_id}+R{_number()}"},
    ),
    Program: (
        lambda: make_program(f"S{_number()}"),
        lambda: (
            _title()
            | {
                "readable_id": f"program-v1:TesseraX+N{_number()}",
                "department": make_department().pk,
                "requirements-count": "0",
            }
        ),
    ),
    ProgramCollection: (
        lambda: ProgramCollection.objects.create(title=f"For public services {_number()}"),
        lambda: {"title": f"Collection {_number()}"},
    ),
    Instructor: (lambda: Instructor.objects.create(name="Mirela Radu"), lambda: {"name": f"Instructor {_number()}"}),
    Department: (
        lambda: make_course(department=make_department(f"Department {_number()}")).department,
        lambda: {"name": f"New {_number()}", "slug": f"new-{_number()}", "position": "1"},
    ),
    Topic: (
        lambda: Topic.objects.create(name=f"Topic {_number()}", slug=f"topic-{_number()}"),
        lambda: {"name": f"New topic {_number()}"},
    ),
    Product: (
        make_product,
        lambda: {"course_run": make_run().pk, "sku": f"SKU-{_number()}", "price": "10", "currency": "USD"},
    ),
    Customer: (lambda: make_draft().customer, lambda: {"company": f"Company {_number()}"}),
}


def snippets() -> Iterator[Thing]:
    """Return every registered snippet. One that nobody has described here has no way to be made."""
    for model in get_snippet_models():
        make, fields = SNIPPETS[model]
        yield Thing(model, model.snippet_viewset.url_namespace, make, fields)


INDEX = {"list": "index"}
THINGS = (
    Thing(
        User,
        "wagtailusers_users",
        _make_buyer,
        lambda: (
            {"email": f"new{_number()}@example.test", "name": "New Person"}
            | dict.fromkeys(("password1", "password2"), "a-long-enough-passphrase")
        ),
        INDEX,
    ),
    Thing(
        Group,
        "wagtailusers_groups",
        lambda: Group.objects.create(name=f"Group {_number()}"),
        lambda: {"name": f"New group {_number()}"},
        INDEX,
    ),
    Thing(
        Site,
        "wagtailsites",
        lambda: Site.objects.get(is_default_site=True),
        lambda: {
            "hostname": f"h{_number()}.example",
            "port": "80",
            "root_page": str(Page.objects.filter(depth=2)[0].pk),
        },
        INDEX,
    ),
    Thing(
        Redirect,
        "wagtailredirects",
        lambda: Redirect.objects.create(old_path=f"/old-{_number()}", redirect_link="https://new.example/"),
        lambda: {"old_path": f"/before-{_number()}/", "redirect_link": "https://after.example/", "is_permanent": "on"},
        INDEX,
    ),
    Thing(
        Collection,
        "wagtailadmin_collections",
        lambda: Collection.get_first_root_node().add_child(name=f"Collection {_number()}"),
        lambda: {"name": f"New collection {_number()}", "parent": str(Collection.get_first_root_node().pk)},
        INDEX,
    ),
    Thing(
        Image,
        "wagtailimages",
        _make_image,
        lambda: _title() | {"file": SimpleUploadedFile("a.png", get_test_image_file().file.getvalue())},
        INDEX | {"usage": "image_usage"},
    ),
    Thing(
        Document,
        "wagtaildocs",
        _make_document,
        lambda: _title() | {"file": SimpleUploadedFile("a.txt", b"Text")},
        INDEX | {"usage": "document_usage"},
    ),
)
THING_ACTIONS: dict[str, Callable[[Walker, Thing], bool]] = {}


def thing_action(does: Callable[[Walker, Thing], bool]) -> Callable[[Walker, Thing], bool]:
    THING_ACTIONS[does.__name__.removeprefix("thing_")] = does
    return does


def _there(thing: Thing) -> set[object]:
    return set(thing.model._base_manager.values_list("pk", flat=True))


def _opens(walker: Walker, path: str) -> bool:
    return walker.look(path).status == 200 and not walker.said.sentences


@thing_action
def thing_list(walker: Walker, thing: Thing) -> bool:
    thing.make()
    return _opens(walker, thing.url("list"))


@thing_action
def thing_search(walker: Walker, thing: Thing) -> bool:
    thing.make()
    return _opens(walker, f"{thing.url('list')}?q=zebra")


@thing_action
def thing_create(walker: Walker, thing: Thing) -> bool:
    before = _there(thing)
    walker.fill(thing.url("add"), **thing.fields())
    return len(_there(thing) - before) == 1


@thing_action
def thing_create_with_nothing(walker: Walker, thing: Thing) -> bool:
    """An empty form makes nothing, and says what is missing."""
    before = _there(thing)
    form = walker.form(thing.url("add"))
    if form is not None:
        empty = {name: "0" if name.endswith("-count") else "" for name in thing.fields()}
        walker.send(thing.url("add"), fill(form, **empty))
    assert _there(thing) == before
    return False


@thing_action
def thing_edit(walker: Walker, thing: Thing) -> bool:
    row = thing.make()
    form = walker.form(thing.url("edit", row.pk))
    if form is None:
        return False
    if isinstance(row, Program):
        form["requirements-count"] = "0"
    walker.send(thing.url("edit", row.pk), form)
    return walker.said.status == 302 and not walker.said.sentences


@thing_action
def thing_delete(walker: Walker, thing: Thing) -> bool:
    row = thing.make()
    walker.fill(thing.url("delete", row.pk))
    return row.pk not in _there(thing)


@thing_action
def thing_delete_in_bulk(walker: Walker, thing: Thing) -> bool:
    first, second, meta = thing.make(), thing.make(), thing.model._meta
    path = reverse("wagtail_bulk_action", args=[meta.app_label, meta.model_name, "delete"])
    if walker.fill(f"{path}?id={first.pk}&id={second.pk}") is None and walker.said.status == 404:
        walker.finds_no_button()
        return False
    return not {first.pk, second.pk} & _there(thing)


@thing_action
def thing_usage(walker: Walker, thing: Thing) -> bool:
    return _opens_if_offered(walker, thing, "usage")


@thing_action
def thing_history(walker: Walker, thing: Thing) -> bool:
    return _opens_if_offered(walker, thing, "history")


def _opens_if_offered(walker: Walker, thing: Thing, name: str) -> bool:
    row = thing.make()
    try:
        path = thing.url(name, row.pk)
    except NoReverseMatch:
        walker.finds_no_button()
        return False
    return _opens(walker, path)


def site_settings() -> list[type[Model]]:
    return list(settings_registry)
