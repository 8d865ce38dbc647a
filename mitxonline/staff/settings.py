"""Settings of a site whose forms notice when someone else saved in the meantime."""

from __future__ import annotations

from typing import Any

from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import ObjectList
from wagtail.contrib.settings.views import EditView

from mitxonline.staff.conflicts import ConflictEditMixin, ConflictFormMixin


class SettingForm(ConflictFormMixin, WagtailAdminModelForm):
    pass


def make_setting_form(panels: list[Any], *, form: type[SettingForm] = SettingForm) -> ObjectList:
    """Return the `edit_handler` of a setting. Its panels stay the model's, for Wagtail's search index."""
    return ObjectList(panels, base_form_class=form)


class SettingEditView(ConflictEditMixin, EditView):
    """Wagtail's view, in whose place it is put, with the lock from the check until the form is saved."""
