"""What every kind of page has."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminPageForm
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.images.models import Image
from wagtail.models import Page, PageManager, PageViewRestriction
from wagtail.query import PageQuerySet
from wagtail.url_routing import RouteResult


class PublicPageQuerySet(PageQuerySet):
    """Pages as a visitor may find them in a list."""

    def visible(self) -> Self:
        """Live, and in no private part of the site; in the same query (Wagtail's own asks first)."""
        here = ExpressionWrapper(OuterRef("path"), output_field=models.CharField())
        closed = PageViewRestriction.objects.alias(here=here).filter(here__startswith=F("page__path"))
        pages: Self = self.live().filter(~Exists(closed))
        return pages


PublicPageManager = PageManager.from_queryset(PublicPageQuerySet)


class SitePage(Page):
    """A page visitors read: with words for search engines and a picture for where it is shared."""

    social_image = models.ForeignKey(
        Image,
        verbose_name=_("picture for sharing"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Shown where someone shares the page. Empty: the cover, or the site's own picture."),
    )

    # Visitors' pages are fetched; their forms post to views of their own.
    allowed_http_methods: ClassVar[list[str]] = ["GET", "HEAD", "OPTIONS"]

    promote_panels = [
        MultiFieldPanel(
            [
                FieldPanel("slug"),
                FieldPanel("seo_title"),
                FieldPanel("search_description"),
                FieldPanel("social_image"),
            ],
            heading=_("For search engines and sharing"),
        ),
        FieldPanel("show_in_menus"),
    ]

    class Meta:
        abstract = True

    def get_view_restrictions(self) -> QuerySet[PageViewRestriction]:
        """Restrictions of this page and those above it, or of what they are aliases of; one query, not one a level."""
        above = [self.path[:end] for end in range(self.steplen, len(self.path) + 1, self.steplen)]
        here = Q(page__path__in=above) | Q(page__aliases__path__in=above)
        restrictions: QuerySet[PageViewRestriction] = PageViewRestriction.objects.filter(here).distinct()
        return restrictions


class SubjectPageQuerySet(PublicPageQuerySet):
    """Pages about a course or a program."""

    def offered(self) -> Self:
        """Live pages whose course or program the house offers."""
        pages: Self = self.live().filter(**{f"{self.model.subject_field}__live": True})
        return pages

    def visible(self) -> Self:
        """Offered, and in no private part of the site."""
        pages: Self = super().visible().filter(**{f"{self.model.subject_field}__live": True})
        return pages

    def with_pictures(self) -> Self:
        """Each page with its pictures, in the same query."""
        pages: Self = self.select_related("card_image", "social_image")
        return pages

    def with_key(self, key: str) -> Any:
        """The page of the course or program with this id, or None."""
        return self.with_pictures().filter(**{f"{self.model.subject_field}__readable_id": key}).first()


class SubjectPageManager(PageManager.from_queryset(SubjectPageQuerySet)):  # type: ignore[misc]
    """Reads what a page is about along with it: its address is made of that, wherever Wagtail lists it (F-1)."""

    def get_queryset(self) -> SubjectPageQuerySet:
        """Pages with their course or program, and its department."""
        pages: SubjectPageQuerySet = super().get_queryset().select_related(f"{self.model.subject_field}__department")
        return pages


class NamesItsSubject(WagtailAdminPageForm):
    """The editors' form of a page that is about something. A draft may wait for it, a public page may not.

    The column is empty for a copy of a page, which gets a subject of its own; until then visitors don't find it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (field := self.fields.get(self._meta.model.subject_field)) is not None:
            field.required = True
            field.error_messages["required"] = self._meta.model.subject_missing


class SubjectPage(SitePage):
    """A page about one course or program: it has its subject's title, and its address is its subject's id.

    Two titles, one in the catalog and one on the page, would drift apart. The slug only keeps siblings apart in the
    tree; an address with the slug leads to the one with the id.
    """

    subject_field: ClassVar[str]
    subject_missing: ClassVar[Any]
    base_form_class = NamesItsSubject

    card_image = models.ForeignKey(
        Image,
        verbose_name=_("picture"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("On the card and at the top, cut to 2:1 around its focal point. Empty: the mosaic."),
    )

    promote_panels = [
        MultiFieldPanel(
            [FieldPanel("seo_title"), FieldPanel("search_description"), FieldPanel("social_image")],
            heading=_("For search engines and sharing"),
        ),
    ]

    class Meta:
        abstract = True

    @property
    def subject(self) -> Any:
        """The course or program; None while none is chosen."""
        return getattr(self, self.subject_field)

    def follow_subject(self) -> None:
        """Take the subject's title over."""
        if self.subject is not None:
            self.title = self.subject.title
        self.title = self.title or str(self._meta.verbose_name)

    def full_clean(self, *args: Any, **kwargs: Any) -> None:
        """Called when a live page is saved."""
        self.follow_subject()
        super().full_clean(*args, **kwargs)

    def minimal_clean(self) -> None:
        """Called when a draft is saved."""
        self.follow_subject()
        super().minimal_clean()

    def get_url_parts(self, request: HttpRequest | None = None) -> tuple[int, str | None, str | None] | None:
        """The address with the subject's id in the place of the slug: it is what the outside world knows."""
        parts: tuple[int, str | None, str | None] | None = super().get_url_parts(request)
        if parts is None or not parts[2] or self.subject is None:
            return parts
        folder = parts[2].rstrip("/").rpartition("/")[0]
        return parts[0], parts[1], f"{folder}/{self.subject.readable_id}/"

    def route(self, request: HttpRequest, path_components: list[str]) -> RouteResult:
        """Reached by its slug: the page stands at its subject's id."""
        if path_components or not self.live or self.subject is None or not self.subject.live:
            raise Http404
        return RouteResult(self, kwargs={"moved": True})

    def serve(self, request: HttpRequest, *args: Any, moved: bool = False, **kwargs: Any) -> HttpResponse:
        """The page, or the way to its address."""
        if moved:
            return HttpResponsePermanentRedirect(self.get_url(request))
        response: HttpResponse = super().serve(request, *args, **kwargs)
        return response
