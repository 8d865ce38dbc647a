"""The style sheet of staff pages, and the admin's first page."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.widgets import AutocompleteMixin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from wagtail import hooks
from wagtail.admin.ui.components import Component
from wagtail.admin.views.generic.chooser import CreationFormMixin
from wagtail.admin.views.mixins import SpreadsheetExportMixin
from wagtail.admin.widgets import AdminDateInput, AdminDateTimeInput, AdminTimeInput, BaseChooser

from mitxonline.staff.days import keep_typed
from mitxonline.staff.forged import find_instance_by_key, list_choices_by_key, require_creation_form
from mitxonline.staff.lists import export_wagtails_list, setup_without_empty_file
from mitxonline.staff.needs import NeedsPanel
from mitxonline.staff.settings import SettingEditView
from mitxonline.staff.timeline import TimelineViewSet

for widget in (AdminDateInput, AdminDateTimeInput, AdminTimeInput):
    widget.get_config = keep_typed(widget.get_config)
BaseChooser.get_instance = find_instance_by_key(BaseChooser.get_instance)
AutocompleteMixin.optgroups = list_choices_by_key(AutocompleteMixin.optgroups)  # type: ignore[method-assign]
CreationFormMixin.can_create = require_creation_form(CreationFormMixin.can_create)
SpreadsheetExportMixin.as_spreadsheet = export_wagtails_list
SpreadsheetExportMixin.setup = setup_without_empty_file(SpreadsheetExportMixin.setup)


@hooks.register("register_admin_urls", order=-1)  # before Wagtail's of the same address
def replace_setting_view() -> list[URLPattern]:
    address = "settings/<slug:app_name>/<slug:model_name>/<int:pk>/"
    return [path(address, SettingEditView.as_view(), name="edit_setting")]


@hooks.register("insert_global_admin_css")
def add_staff_css() -> SafeString:
    return format_html('<link rel="stylesheet" href="{}">', static("staff/states.css"))


@hooks.register("construct_homepage_panels")
def show_needs(request: HttpRequest, panels: list[Component]) -> None:
    """Replace Wagtail's panels, whose queries grow with what they list, by counts that lead to lists."""
    panels[:] = [NeedsPanel(request)]


@hooks.register("construct_homepage_summary_items", order=1000)
def leave_out_totals(request: HttpRequest, items: list[Any]) -> None:
    """Leave out how many pages, images and documents there are: no one acts on these numbers."""
    items.clear()


@hooks.register("register_admin_viewset")
def register_timelines() -> TimelineViewSet:
    """Timelines of whatever the apps' sources know (`mitxonline.kernel.timeline`)."""
    return TimelineViewSet()
