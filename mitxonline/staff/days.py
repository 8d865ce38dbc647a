"""Days in forms: both ends count, in the site's time zone. The first or the last moment of the day is stored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, Protocol

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminPageForm
from wagtail.admin.widgets import AdminDateInput

from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_moment

# Pages are published every minute; one that has been due for longer couldn't be.
LATE_AFTER = timedelta(minutes=5)
DAY = re.compile(r"\s*\d{4}-\d{2}-\d{2}\s*")


class DayField(forms.DateTimeField):
    """A day; as the end of something it counts to its last moment.

    Commands may also enter a time of that day. Midnight is no time: as an end, it would leave out the day.
    """

    widget = AdminDateInput
    default_error_messages: ClassVar = {"invalid": gettext_lazy("Enter a day like 2027-06-30.")}

    def __init__(self, *, is_end: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_end = is_end

    def to_python(self, value: Any) -> datetime | None:
        if isinstance(value, str) and DAY.fullmatch(value):
            try:
                return self.to_moment(date.fromisoformat(value.strip()))
            except ValueError:
                raise ValidationError(self.error_messages["invalid"], code="invalid") from None
        moment = super().to_python(value)
        if moment is not None and (local := timezone.localtime(moment)).time() == time.min:
            return self.to_moment(local.date())
        return moment

    def to_moment(self, day: date) -> datetime:
        return clock.end_of_day(day) if self.is_end else clock.start_of_day(day)

    def is_whole_day(self, moment: datetime) -> bool:
        return self.to_moment(clock.date_of(moment)).replace(second=0, microsecond=0) == moment.replace(
            second=0, microsecond=0
        )

    def prepare_value(self, value: Any) -> Any:
        return clock.date_of(value) if isinstance(value, datetime) else value


class ScheduledPageForm(WagtailAdminPageForm):
    """A page's form that names the zone of its schedule: that of the person's account, which Wagtail activates."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"go_live_at", "expire_at"} & self.fields.keys():
            self.fields[name].help_text = _("Time zone: %(zone)s.") % {"zone": timezone.get_current_timezone_name()}


def keep_typed(get_config: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """Make Wagtail's date picker leave alone what it can't read: it writes today's date over it, unseen.

    The form refuses it in a sentence.
    """

    def get_config_without_correction(widget: Any) -> dict[str, Any]:
        return get_config(widget) | {"validateOnBlur": False}

    return get_config_without_correction


class _HasFields(Protocol):
    fields: dict[str, forms.Field]
    cleaned_data: dict[str, Any]


def explain_days(form: _HasFields, stored: Mapping[str, datetime | None]) -> None:
    """Say at each day that it counts as a whole, and which don't because a time was stored."""
    for name, field in form.fields.items():
        if not isinstance(field, DayField):
            continue
        moment = stored.get(name)
        if moment is not None and not field.is_whole_day(moment):
            note = _("It is %(moment)s exactly. Choose another day to have a whole day count.")
            note = note % {"moment": format_moment(moment)}
        else:
            note = _("The whole day counts.")
        zone = _("Time zone: %(zone)s.") % {"zone": settings.TIME_ZONE}
        field.help_text = f"{field.help_text} {note} {zone}".strip()


def keep_unchanged_moments(form: _HasFields, stored: Mapping[str, datetime | None]) -> None:
    """Keep the exact moment of a day that wasn't changed: whoever changes the title doesn't move a date."""
    for name, field in form.fields.items():
        moment, entered = stored.get(name), form.cleaned_data.get(name)
        if not isinstance(field, DayField) or moment is None or entered is None:
            continue
        if field.is_whole_day(entered) and clock.date_of(entered) == clock.date_of(moment):
            form.cleaned_data[name] = moment
