"""Adding pages to Wagtail's tree and publishing them, the way its admin does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from wagtail.log_actions import log
from wagtail.models import Page

from b2b.errors.contracts import TermsInvalid
from mitxonline.users.models import User

TRIES = 5

P = TypeVar("P", bound=Page)


def lock_page(page_id: int) -> Page:
    """Lock one page's row until the transaction ends; who adds children or publishes does so one after the other."""
    page: Page = Page.objects.order_by("pk").select_for_update(of=("self",), no_key=True).get(pk=page_id)
    return page


def add_child(*, parent_id: int, make: Callable[[], P]) -> P:
    """Add a page made by ``make`` under its parent.

    A page's place in the tree is computed in Python from its siblings. We lock the parent, Wagtail's admin doesn't, so
    two may still compute the same place (W7): the database refuses the second, who then looks again.
    Raises TermsInvalid in the words of the page's own checks.
    """
    for remaining in reversed(range(TRIES)):
        try:
            with transaction.atomic(), saying_what_is_invalid():
                parent = lock_page(parent_id)
                page = make()
                refuse_invalid(page)
                parent.add_child(instance=page)
                return page
        except IntegrityError:
            if not remaining:
                raise
    raise AssertionError("unreachable")


def refuse_invalid(page: Page) -> None:
    """Raise ValidationError for what the page's own fields can't be.

    Wagtail lets a draft be saved half-filled and validates on publishing; the database is stricter, and says it worse.
    """
    page.clean_fields(exclude={field.name for field in Page._meta.fields})
    page.validate_constraints()


def publish_new(page: Page, *, user: User | None) -> None:
    """Give a page that was just added its first revision and publish it, as Wagtail's create view does."""
    log(instance=page, action="wagtail.create", user=user, content_changed=True)
    publish_changed(page, user=user)


def publish_changed(page: Page, *, user: User | None) -> None:
    """Save the page as a new revision and publish that."""
    with saying_what_is_invalid():
        revision = page.save_revision(user=user, log_action=True)
        revision.publish(user=user, skip_permission_checks=True)


@contextmanager
def saying_what_is_invalid() -> Iterator[None]:
    """Turn what a page's validation says into one refusal."""
    try:
        yield
    except ValidationError as error:
        raise TermsInvalid(reason=" ".join(dict.fromkeys(error.messages))) from error
