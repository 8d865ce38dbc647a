"""Two of each page and snippet, on two sites."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group
from wagtail.models import Page, Site

from b2b.models import OrganizationIndexPage
from cms import models as cms
from cms.services.groups import EDITORS, RIGHTS, ensure_group
from mitxonline.users.models import User
from tests.factories import (
    make_contract,
    make_course,
    make_organization,
    make_product,
    make_user,
)
from tests.factories.pages import (
    block,
    make_content_page,
    make_course_page,
    make_home,
    make_product_page,
    make_program,
    make_program_page,
)

_count = itertools.count(1)


@dataclass(frozen=True)
class Kind:
    """How a page of one type is made: `parent` can hold a new one, `fields` are what its form needs.

    `moves_to` can take it; a page of a type without it belongs only where it is.
    """

    page: Page
    parent: Page
    fields: Callable[[], dict[str, Any]]
    moves_to: Page | None = None


@dataclass
class World:
    users: dict[str, User] = field(default_factory=dict)
    kinds: dict[type[Page], Kind] = field(default_factory=dict)


def make_world() -> World:
    home = make_home()
    for rights in RIGHTS.values():
        ensure_group(rights, pages=[home], renew=True)
    index = OrganizationIndexPage(title="Organizations", slug="organizations")
    home.add_child(instance=index)
    world = World(users=_make_users())
    world.kinds = {kind.page.specific_class: kind for kind in _make_kinds(home)}
    for kind in world.kinds.values():
        _store_revisions(kind.page, world.users["administrator"])
    return world


def _make_users() -> dict[str, User]:
    administrator = make_user("administrator@example.test", is_superuser=True, is_staff=True)
    editor = make_user("editor@example.test")
    editor.groups.add(Group.objects.get(name=EDITORS))
    return {"administrator": administrator, "editor": editor}


def _make_site(name: str, *, folders: bool) -> cms.HomePage:
    home = cms.HomePage(title=name.title(), slug=name, hero_title=name.title())
    Page.get_first_root_node().add_child(instance=home)
    if folders:
        for page in (
            cms.CourseIndexPage(title="Course pages", slug="courses"),
            cms.ProgramIndexPage(title="Programs", slug="programs"),
            cms.ProductIndexPage(title="Product pages", slug="products"),
        ):
            home.add_child(instance=page)
    Site.objects.create(hostname=f"{name}.example", root_page=home)
    return home


def _make_kinds(home: cms.HomePage) -> list[Kind]:
    text = [block("text", heading="Who it’s for", text="<p>Everyone</p>")]
    for _other in range(2):  # a page is never the only one of its type
        make_course_page(body=text)
        make_product_page(slug=f"offer-{next(_count)}")
        make_content_page(f"page-{next(_count)}")
    make_program_page(make_program("OTHER"))
    course_page = make_course_page(body=text)
    program_page = make_program_page(make_program("DATA"))
    product_page = make_product_page(slug="an-offer")
    empty, second = _make_site("empty", folders=False), _make_site("second", folders=True)
    organization = make_organization("Northgate Health")
    root = Page.get_first_root_node()

    def folder(model: type[Page], site: Page) -> Any:
        return model.objects.child_of(site).get()

    def titled() -> dict[str, Any]:
        number = next(_count)
        return {"title": f"New page {number}", "slug": f"new-page-{number}"}

    return [
        Kind(home, root, lambda: titled() | {"hero_title": "Hello"}),
        Kind(folder(cms.CatalogPage, home), empty, titled, moves_to=empty),
        Kind(make_content_page(), home, titled, moves_to=second),
        Kind(folder(cms.CourseIndexPage, home), empty, titled, moves_to=empty),
        Kind(folder(cms.ProgramIndexPage, home), empty, titled, moves_to=empty),
        Kind(folder(cms.ProductIndexPage, home), empty, titled, moves_to=empty),
        Kind(
            course_page,
            folder(cms.CourseIndexPage, home),
            lambda: {"course": make_course().pk},
            moves_to=folder(cms.CourseIndexPage, second),
        ),
        Kind(
            program_page,
            folder(cms.ProgramIndexPage, home),
            lambda: {"program": make_program(f"N{next(_count)}").pk},
            moves_to=folder(cms.ProgramIndexPage, second),
        ),
        Kind(
            product_page,
            folder(cms.ProductIndexPage, home),
            lambda: titled() | {"product": make_product().pk},
            moves_to=folder(cms.ProductIndexPage, second),
        ),
        Kind(OrganizationIndexPage.objects.get(), home, titled, moves_to=second),
        Kind(
            organization,
            OrganizationIndexPage.objects.get(),
            lambda: (fields := titled()) | {"name": fields["title"]},
        ),
        Kind(make_contract(organization), organization, lambda: (fields := titled()) | {"name": fields["title"]}),
    ]


def _store_revisions(page: Page, user: User) -> None:
    """Give the page two versions in its history."""
    page = page.specific
    page.save_revision(user=user)
    page.save_revision(user=user).publish(user=user)
