"""Base classes of the pages."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.images.models import Image
from wagtail.models import Page, PageManager, PageViewRestriction, Site
from wagtail.query import PageQuerySet
from wagtail.url_routing import RouteResult

from cms.models.forms import SitePageCopyForm, SitePageForm, SubjectPageForm
from courses.models.sites import is_of_site
from mitxonline.kernel.shop import current_site_id
from mitxonline.shared.marks import mark_shared


class PublicPageQuerySet(PageQuerySet):
    def visible(self) -> Self:
        """Live pages outside the private parts of the site.

        Wagtail's own ``public()`` reads all view restrictions first; this is one query.
        """
        path = ExpressionWrapper(OuterRef("path"), output_field=models.CharField())
        restrictions = PageViewRestriction.objects.alias(path=path).filter(path__startswith=F("page__path"))
        pages: Self = self.live().filter(~Exists(restrictions))
        return pages


PublicPageManager = PageManager.from_queryset(PublicPageQuerySet)


class SitePage(Page):
    """A page that visitors read."""

    base_form_class = SitePageForm
    copy_form_class = SitePageCopyForm

    social_image = models.ForeignKey(
        Image,
        verbose_name=_("picture for sharing"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Shown when someone shares the page. Leave empty to use the cover or the site’s picture."),
    )

    # Forms on pages post to views of their own.
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
        FieldPanel(
            "show_in_menus",
            help_text=_("A page right under the home page gets a link in the header, in the order of the page list."),
        ),
    ]

    class Meta:
        abstract = True

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = mark_shared(super().serve(request, *args, **kwargs))
        return response

    def get_view_restrictions(self) -> QuerySet[PageViewRestriction]:
        """Wagtail makes a query for each ancestor; this is one for all, aliases included."""
        paths = [self.path[:end] for end in range(self.steplen, len(self.path) + 1, self.steplen)]
        restrictions: QuerySet[PageViewRestriction] = PageViewRestriction.objects.filter(
            Q(page__path__in=paths) | Q(page__aliases__path__in=paths)
        ).distinct()
        return restrictions


class SubjectPageQuerySet(PublicPageQuerySet):
    def only(self, *fields: str) -> Self:
        """Leave out the subject that the manager joins: Django refuses to join through a deferred key.

        The page tree deletes with ``only()``.
        """
        pages: Self = super(SubjectPageQuerySet, self.select_related(None)).only(*fields)
        return pages

    def offered(self) -> Self:
        """Live pages of live courses or programs of the current site."""
        pages: Self = self.live().filter(self._is_offered())
        return pages

    def visible(self) -> Self:
        """Those that visitors of the current site can open."""
        pages: Self = super().visible().filter(self._is_offered())
        return pages

    def _is_offered(self) -> Q:
        subject = self.model.subject_field
        return Q(**{f"{subject}__live": True}) & is_of_site(current_site_id(), path=f"{subject}__site")

    def with_pictures(self) -> Self:
        pages: Self = self.select_related("card_image", "social_image")
        return pages

    def with_key(self, key: str) -> Any:
        """Return the page of the course or program with this readable id, or None."""
        return self.with_pictures().filter(**{f"{self.model.subject_field}__readable_id": key}).first()


class SubjectPageManager(PageManager.from_queryset(SubjectPageQuerySet)):  # type: ignore[misc]
    """Joins the subject, because the page's address contains its id wherever Wagtail lists pages."""

    def get_queryset(self) -> SubjectPageQuerySet:
        pages: SubjectPageQuerySet = super().get_queryset().select_related(f"{self.model.subject_field}__department")
        return pages


class SubjectPage(SitePage):
    """A page about one course or program, with its title and with its id in the address.

    A title of the page's own would drift apart from the one in the catalog. The slug only keeps siblings apart in the
    tree; an address with the slug redirects to the one with the id.
    """

    subject_field: ClassVar[str]  # the foreign key to the course or program
    subject_missing: ClassVar[Any]  # the form's error where none is chosen
    base_form_class = SubjectPageForm

    card_image = models.ForeignKey(
        Image,
        verbose_name=_("picture"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("On the card and at the top, cropped to 2:1 around its focal point. Leave empty for the mosaic."),
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
        return getattr(self, self.subject_field)

    @property
    def _is_offered_here(self) -> bool:
        subject = self.subject
        return subject is not None and subject.live and subject.site_id in (None, current_site_id())

    def search_keys(self) -> str:
        """The words by which staff find the page: the id, and its parts, which no one types as a whole."""
        if self.subject is None:
            return ""
        key: str = self.subject.readable_id
        return f"{key} {key.replace('+', ' ').replace(':', ' ')}"

    def copy_subject_title(self) -> None:
        if self.subject is not None:
            self.title = self.subject.title
        self.title = self.title or capfirst(str(self._meta.verbose_name))

    def full_clean(self, *args: Any, **kwargs: Any) -> None:
        """Called when a live page is saved."""
        self.copy_subject_title()
        super().full_clean(*args, **kwargs)

    def minimal_clean(self) -> None:
        """Called when a draft is saved."""
        self.copy_subject_title()
        super().minimal_clean()

    def get_url_parts(self, request: HttpRequest | None = None) -> tuple[int, str | None, str | None] | None:
        """Put the subject's id in place of the slug: it is what other systems link to."""
        parts: tuple[int, str | None, str | None] | None = super().get_url_parts(request)
        if parts is None or not parts[2] or self.subject is None:
            return parts
        site_id, root_url, path = parts
        # The page is in the tree of one site, and shown on all that have the course or program.
        shown_on = self.subject.site_id or current_site_id()
        if shown_on not in (None, site_id):
            roots = {root.site_id: root.root_url for root in Site.get_site_root_paths()}
            site_id, root_url = (shown_on, roots[shown_on]) if shown_on in roots else (site_id, root_url)
        folder = (path or "").rstrip("/").rpartition("/")[0]
        return site_id, root_url, f"{folder}/{self.subject.readable_id}/"

    def route(self, request: HttpRequest, path_components: list[str]) -> RouteResult:
        """Answer an address with the slug, which redirects to the one with the id (see ``serve``)."""
        if path_components or not self.live or not self._is_offered_here:
            raise Http404
        return RouteResult(self, kwargs={"moved": True})

    def serve(self, request: HttpRequest, *args: Any, moved: bool = False, **kwargs: Any) -> HttpResponse:
        if moved:
            return HttpResponsePermanentRedirect(self.get_url(request))
        response: HttpResponse = super().serve(request, *args, **kwargs)
        return response
