"""Adding pages to Wagtail's tree and publishing them, as its admin does."""

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

ATTEMPTS = 5

P = TypeVar("P", bound=Page)


def lock_page(page_id: int) -> Page:
    """Lock a page until the transaction ends: children are added and revisions published one after the other."""
    page: Page = Page.objects.order_by("pk").select_for_update(of=("self",), no_key=True).get(pk=page_id)
    return page


def add_child(*, parent_id: int, make: Callable[[], P]) -> P:
    """Add a page made by ``make`` under its parent.

    A page's path in the tree is computed in Python from its siblings. Wagtail's admin doesn't lock the parent, so it
    may compute the same path as we do: the database refuses the second page, which is then added again.
    Raises TermsInvalid with the messages of the page's own validation.
    """
    for remaining in reversed(range(ATTEMPTS)):
        try:
            with transaction.atomic(), refusing_invalid_pages():
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
    """Raise ValidationError for invalid values in the page's own fields.

    Wagtail validates a draft only when it is published. Otherwise saving the draft would fail with an IntegrityError
    and no message.
    """
    page.clean_fields(exclude={field.name for field in Page._meta.fields})
    page.validate_constraints()


def publish_new(page: Page, *, user: User | None) -> None:
    """Publish a page that was just added, with the log entries of Wagtail's create view."""
    log(instance=page, action="wagtail.create", user=user, content_changed=True)
    publish_changed(page, user=user)


def publish_changed(page: Page, *, user: User | None) -> None:
    """Save the page as a new revision and publish it. Raises TermsInvalid."""
    with refusing_invalid_pages():
        revision = page.save_revision(user=user, log_action=True)
        revision.publish(user=user, skip_permission_checks=True)


@contextmanager
def refusing_invalid_pages() -> Iterator[None]:
    """Turn a page's ValidationError into TermsInvalid."""
    try:
        yield
    except ValidationError as error:
        raise TermsInvalid(reason=" ".join(dict.fromkeys(error.messages))) from error
