"""Forms of pages in the Wagtail admin."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.apps import apps
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms.pages import CopyForm
from wagtail.models import Page

from cms.models.addresses import is_taken_by_application
from mitxonline.staff.days import ScheduledPageForm

NEW_PAGE_KEY = "new_page_key"


class SitePageForm(ScheduledPageForm):
    """A new page's form carries a key, by which everything that is sent from it makes one page."""

    new_page_key = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.fields[NEW_PAGE_KEY].initial = uuid.uuid4()
        else:
            del self.fields[NEW_PAGE_KEY]

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if is_taken_by_application(slug, self.parent_page):
            raise ValidationError(_SLUG_TAKEN, params={"slug": slug})
        return slug

    def save(self, commit: bool = True) -> Any:
        # Unique in the database, together with the language. A key that another form has used makes no page.
        key = self.cleaned_data.get(NEW_PAGE_KEY)
        if key is not None and not Page.objects.filter(translation_key=key).exists():
            self.instance.translation_key = key
        return super().save(commit=commit)


class SubjectPageForm(SitePageForm):
    """Require the subject, though its column may be null: a copied page has none until an editor chooses one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (field := self.fields.get(self.subject_field)) is not None:
            field.required = True
            field.error_messages["required"] = self._meta.model.subject_missing

    @property
    def subject_field(self) -> str:
        name: str = self._meta.model.subject_field
        return name

    @property
    def is_only_page(self) -> bool:
        """Whether a subject has one page at most."""
        return bool(self._meta.model._meta.get_field(self.subject_field).unique)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        subject = cleaned.get(self.subject_field)
        if self.is_only_page and subject is not None:
            pages = self._meta.model.objects.filter(**{self.subject_field: subject}).exclude(pk=self.instance.pk)
            if (other := pages.select_related("owner").first()) is not None:
                self.add_error(self.subject_field, _describe_page(other))
        return cleaned


class SitePageCopyForm(CopyForm):
    """Offers no alias and no publication of a page that is the only one of its course or program."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.page.specific_class in only_pages():
            self.fields.pop("alias", None)
            self.fields.pop("publish_copies", None)

    def clean(self) -> Any:
        cleaned = super().clean()
        if self.data.get("alias") and _holds_only_pages(self.page, with_subpages=bool(cleaned.get("copy_subpages"))):
            self.add_error(
                "alias" if "alias" in self.fields else "new_title",
                _("A course or program has one page, so its page can’t have an alias. Nothing was copied."),
            )
        parent, slug = cleaned.get("new_parent_page") or self.page.get_parent(), cleaned.get("new_slug")
        if slug and is_taken_by_application(slug, parent):
            self.add_error("new_slug", ValidationError(_SLUG_TAKEN, params={"slug": slug}))
        return cleaned


_SLUG_TAKEN = _("“%(slug)s” is an address of this site that isn’t a page. Choose another slug.")


def only_pages() -> tuple[type[Page], ...]:
    """Return the types whose subject has one page."""
    return (apps.get_model("cms", "CoursePage"), apps.get_model("cms", "ProgramPage"))


def _holds_only_pages(page: Page, *, with_subpages: bool) -> bool:
    if not with_subpages:
        return page.specific_class in only_pages()
    return bool(Page.objects.descendant_of(page, inclusive=True).type(*only_pages()).exists())


def _describe_page(page: Any) -> str:
    """Say that the subject has a page, with a link to it."""
    said = page._meta.get_field(page.subject_field).error_messages["unique"]
    link = format_html(
        '<a href="{}">{}</a>', reverse("wagtailadmin_pages:edit", args=[page.pk]), page.get_admin_display_title()
    )
    if page.live or page.owner is None:
        return format_html(gettext("{said} Open it: {link}"), said=said, link=link)
    owner = page.owner.display_name
    return format_html(gettext("{said} It’s a draft by {owner}: {link}"), said=said, owner=owner, link=link)
