"""Timelines in Wagtail's admin: a search box for whatever a person has in hand, and the page of what happened to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, tzinfo
from itertools import groupby
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.menu import MenuItem
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.widgets.button import HeaderButton

from mitxonline.kernel.dates import format_day, format_time
from mitxonline.kernel.timeline import (
    READERS,
    Entry,
    EntryGroup,
    EntryKind,
    Subject,
    SubjectKind,
    Timeline,
    TimelineUnknown,
    Viewer,
    describe_size,
    find_subjects,
    get_subject,
    tell_timeline,
    timeline_url,
    write_text,
)
from mitxonline.staff.pages import UNPROCESSABLE, StaffFormPage, StaffPage, StaffPageMixin

# Whoever may read some kind of entry may look for what they are about. Course staff see the discounts of their courses.
PERMISSIONS = frozenset({"courses.view_coursestaff", *(each for readers in READERS.values() for each in readers)})
PROBLEMS = "problems"


def may_search(user: Any) -> bool:
    return any(user.has_perm(permission) for permission in PERMISSIONS)


class TimelineMixin(StaffPageMixin):
    header_icon = "history"

    def user_has_permission(self, _action: str) -> bool:
        return may_search(self.request.user)

    @property
    def viewer(self) -> Viewer:
        return Viewer(self.request.user)


class SearchForm(forms.Form):
    q = forms.CharField(
        label=gettext_lazy("What happened to"),
        max_length=200,
        strip=True,
        help_text=gettext_lazy(
            "An order number, an e-mail address, a code, the number of an invoice or a credit note, the name of a "
            "customer or a contract, a trace id or a delivery’s number."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Enter what you are looking for.")},
    )


class SearchView(TimelineMixin, StaffFormPage):
    """Find what a text means. It is posted, because addresses are logged and texts may be codes."""

    page_title = gettext_lazy("What happened?")
    form_class = SearchForm
    template_name = "staff/timeline_search.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "q" in request.GET:
            form = self.form_class(request.GET)
            return self.form_valid(form) if form.is_valid() else self.form_invalid(form)
        return super().get(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        found = find_subjects(form.cleaned_data["q"], viewer=self.viewer)
        if len(found) == 1:
            return redirect(timeline_url(found[0].kind, found[0].key))
        if not found:
            form.add_error("q", str(TimelineUnknown()))
            return self.render_to_response(self.get_context_data(form=form), status=UNPROCESSABLE)
        choices = [(each, SubjectKind(each.kind).label, timeline_url(each.kind, each.key)) for each in found]
        return self.render_to_response(self.get_context_data(form=form, choices=choices))


@dataclass(frozen=True, slots=True)
class ShownEntry:
    entry: Entry
    time: str


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """Entries of one request in a row, with the address of the whole trace for those who may open it."""

    group: EntryGroup
    entries: tuple[ShownEntry, ...]
    url: str


@dataclass(frozen=True, slots=True)
class Day:
    heading: str
    groups: tuple[ShownGroup, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    label: str
    url: str
    count: int
    is_chosen: bool


class TimelineView(TimelineMixin, StaffPage):
    template_name = "staff/timeline.html"

    @cached_property
    def subject(self) -> Subject:
        # What doesn't exist and what isn't theirs to see get the same answer.
        kind, key = self.kwargs["kind"], self.kwargs["key"]
        subject = get_subject(SubjectKind(kind), key, viewer=self.viewer) if kind in SubjectKind.values else None
        if subject is None:
            raise Http404
        return subject

    @cached_property
    def timeline(self) -> Timeline:
        return tell_timeline(self.subject, viewer=self.viewer)

    @cached_property
    def shown(self) -> Timeline:
        chosen = self.request.GET.get("kind", "")
        if chosen == PROBLEMS:
            return self.timeline.only_problems()
        return self.timeline.only({EntryKind(chosen)}) if chosen in EntryKind.values else self.timeline

    @property
    def zone(self) -> tzinfo:
        return self.viewer.zone

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("format") == "text":
            text = write_text(self.shown, zone=self.zone)
            return HttpResponse(text, content_type="text/plain; charset=utf-8")
        return super().get(request, *args, **kwargs)

    def get_page_title(self) -> str:
        return _("What happened?")

    def get_page_subtitle(self) -> str:
        return str(self.subject.name)

    def get_parents(self) -> list[tuple[str, object]]:
        return [(reverse("timeline:search"), _("What happened?"))]

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        if not self.subject.url:
            return []
        label = _("Open %(kind)s") % {"kind": SubjectKind(self.subject.kind).label.lower()}
        return [HeaderButton(label, url=self.subject.url, icon_name="view")]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {
            "subject": self.subject,
            "days": list(self._split_by_day()),
            "filters": list(self._list_filters()),
            "size": describe_size(self.shown),
            "text": write_text(self.shown, zone=self.zone),
            "zone": format_time(timezone.now(), zone=self.zone).partition(" ")[2],
        }

    def _split_by_day(self) -> Iterator[Day]:
        # Groups are of one request, so they belong to the day on which they begin.
        for day, groups in groupby(self.shown.groups(), lambda group: self._day_of(group.entries[0])):
            yield Day(format_day(day), tuple(self._show_group(group) for group in groups))

    def _show_group(self, group: EntryGroup) -> ShownGroup:
        entries = tuple(ShownEntry(each, f"{each.at.astimezone(self.zone):%H:%M:%S}") for each in group.entries)
        return ShownGroup(group, entries, self._trace_url(group.trace_id))

    def _day_of(self, entry: Entry) -> date:
        return entry.at.astimezone(self.zone).date()

    def _trace_url(self, trace_id: str) -> str:
        is_here = trace_id == self.subject.trace_id
        if not trace_id or is_here or not self.viewer.may("coordinator.view_delivery"):
            return ""
        return timeline_url(SubjectKind.TRACE, trace_id)

    def _list_filters(self) -> Iterator[Filter]:
        chosen, entries = self.request.GET.get("kind", ""), self.timeline.entries
        is_known = chosen == PROBLEMS or chosen in EntryKind.values
        yield Filter(_("Everything"), "?", len(entries), is_chosen=not is_known)
        if self.timeline.problems:
            yield Filter(_("Problems"), f"?kind={PROBLEMS}", len(self.timeline.problems), is_chosen=chosen == PROBLEMS)
        for kind in self.timeline.kinds:
            count = sum(entry.kind == kind for entry in entries)
            yield Filter(str(kind.label), f"?kind={kind.value}", count, is_chosen=chosen == kind)


class TimelineMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return may_search(request.user)


class TimelineViewSet(ViewSet):
    name = "timeline"
    url_prefix = "timeline"
    icon = "history"
    menu_label = gettext_lazy("What happened?")
    menu_name = "timeline"
    menu_order = 800
    menu_item_class = TimelineMenuItem
    add_to_admin_menu = True

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", SearchView.as_view(), name="search"),
            path("<slug:kind>/<str:key>/", TimelineView.as_view(), name="subject"),
        ]
