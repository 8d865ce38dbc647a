"""Forms that notice when someone else saved in the meantime.

A form carries what it showed in the hidden field ``seen``. When it is sent, that is compared with what is stored by
now, under the row's lock. If something else holds, nothing is saved: the form says who changed what, keeps what was
typed, and takes over the new values of the fields that were left alone.

Without the comparison a form writes all its fields, and whoever saves last undoes the other's change unawares.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeAlias, TypeVar, cast

from django import forms
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models.fields.files import FieldFile
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.blocks.base import BlockField
from wagtail.log_actions import registry as log_registry

from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_moment
from mitxonline.kernel.errors import DomainError
from mitxonline.staff.constraints import ConstraintFormMixin, ConstraintViewMixin
from mitxonline.staff.days import DayField

SALT = "mitxonline.staff.conflicts"
NOT_SAID = gettext_lazy("This page doesn’t say what it showed you. Open it again, then make your changes.")

# What a field shows, as JSON: a list for several choices.
Shown: TypeAlias = "str | bool | list[str]"

AnyForm = TypeVar("AnyForm", bound=forms.BaseForm)


class ChangedMeanwhile(DomainError):
    """Someone saved between the check of a form and its lock. Only forms that are checked without a lock raise it."""

    code = "changed_meanwhile"
    heading = gettext_lazy("Not saved")
    message = gettext_lazy("Someone else saved this at the same moment, so your changes weren’t saved.")
    advice = gettext_lazy("Open the form again and check what it shows now.")


class SeenField(forms.CharField):
    """What the form showed, signed. It is never a change by itself."""

    widget = forms.HiddenInput

    def __init__(self) -> None:
        super().__init__(required=False, label=gettext_lazy("What this form showed"))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class ConflictFormMixin(ConstraintFormMixin):
    """Refuses to save over what someone else saved since the form was shown. Comes first among the bases.

    For model forms. Other forms override `get_stored` and `get_current_form`.
    """

    seen = SeenField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        bound = inspect.signature(super().__init__).bind_partial(*args, **kwargs).arguments
        named = {name: each for name, each in bound.items() if name not in {"args", "kwargs"}}
        self.options = {**named, **bound.get("kwargs", {})}
        super().__init__(*args, **kwargs)
        # Computed when the page is drawn: by then the form has all its fields and their values.
        self.initial["seen"] = self.sign_shown_values
        self.is_checked = False
        self.reader = self.options.get("for_user") or self.reader

    def get_stored(self) -> models.Model | None:
        """Return the row that the form changes; None for a new one."""
        instance: models.Model = self.instance  # type: ignore[attr-defined]
        return instance if instance.pk is not None and not instance._state.adding else None

    def get_current_form(self, stored: models.Model) -> forms.BaseForm:
        """Return the form as someone who opens it now gets it."""
        options = {name: each for name, each in self.options.items() if name not in {"data", "files", "initial"}}
        return cast("forms.BaseForm", type(self)(**{**options, "instance": stored}))

    def get_related_facts(self) -> Mapping[str, list[str]]:
        """Return what the page changes beside the form's own fields, by what it is called."""
        return {}

    def get_shown_values(self) -> dict[str, Shown]:
        """Return what the fields show to someone who opens the form."""
        values = {
            name: to_shown(field, self.get_initial_for_field(field, name))
            for name, field in self.fields.items()
            if name != "seen" and not field.disabled
        }
        return values | {f"+{name}": list(facts) for name, facts in self.get_related_facts().items()}

    def sign_shown_values(self) -> str:
        stored = self.get_stored()
        if stored is None:
            return ""
        return sign_values(_name_row(stored), self.get_shown_values())

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if (stored := self.get_stored()) is not None:
            self.refuse_if_changed(stored)
        return cleaned

    def refuse_if_changed(self, stored: models.Model) -> None:
        """Add an error for each field that holds something else by now."""
        current = _read_again(stored)
        if current is None:
            self.add_error(None, _("Someone deleted this while you had it open. Nothing was saved."))
            return
        self.take_over_other_columns(current)
        if (text := self.data.get(self.add_prefix("seen"))) is None:
            # A script that fills the form without opening it. It saw nothing, so nothing can have changed since.
            self.is_checked = True
            return
        if (seen := read_signed_values(_name_row(current), text)) is None:
            self.add_error(None, NOT_SAID)
            return
        form = cast("ConflictFormMixin", self.get_current_form(current))
        now = form.get_shown_values()
        changed = [name for name in now if seen["values"].get(name) != now[name]]
        conflicts = [name for name in changed if now[name] != self._get_entered(name)]
        self.is_checked = not conflicts
        if not conflicts:
            return
        self.data = cast("Any", self.data).copy()
        for name in conflicts:
            self._explain(name, before=seen["values"].get(name, ""), now=now[name], form=form)
        cast("Any", self.data)[self.add_prefix("seen")] = form.sign_shown_values()
        people = describe_authors(current, since=datetime.fromisoformat(seen["at"]), reader=self.reader)
        sentence = _("%(people)s changed this while you had it open, so nothing was saved. ") % {"people": people}
        self.add_error(
            None,
            ValidationError(
                sentence + _("Check what changed, which is explained at each field, then save again."),
                code="changed_meanwhile",
            ),
        )

    def take_over_other_columns(self, current: models.Model) -> None:
        """Don't write columns that the form doesn't show with what they held before the row was locked."""
        instance = getattr(self, "instance", None)
        if instance is None:
            return
        for field in current._meta.concrete_fields:
            if field.name not in self.fields or self.fields[field.name].disabled:
                setattr(instance, field.attname, getattr(current, field.attname))

    def save(self, commit: bool = True) -> Any:
        """Save under the row's lock. Raises ChangedMeanwhile if the check saw no lock and someone came between."""
        parent = cast("Any", super())
        if not commit or self.get_stored() is None or connection.in_atomic_block:
            return parent.save(commit=commit)
        with transaction.atomic():
            self.is_checked = False
            self.refuse_if_changed(cast("models.Model", self.get_stored()))
            if not self.is_checked:
                raise ChangedMeanwhile
            return parent.save()

    def _get_entered(self, name: str) -> Shown | None:
        """Return what was entered, as it would be shown; None for what couldn't be read or isn't a field."""
        if name not in self.fields or name not in self.cleaned_data:
            return None
        return to_shown(self.fields[name], self.cleaned_data[name])

    def _explain(self, name: str, *, before: Shown, now: Shown, form: ConflictFormMixin) -> None:
        if name.startswith("+"):
            difference = describe_difference(forms.CharField(), before, now)
            note = _("The page shows yours: saving again replaces it.")
            self.add_error(None, f"{name[1:]}: {difference} {note}")
            return
        # The current form's field has the choices, also those that appeared in the meantime.
        difference = describe_difference(form.fields[name], before, now)
        is_untouched = self._get_entered(name) == before
        if is_untouched and self._take_over(name, now, form):
            note = _("The field shows the new value.")
        else:
            note = _("The field shows yours: saving again replaces the other one.")
        self.add_error(name, ValidationError(f"{difference} {note}", code="changed_meanwhile"))

    def _take_over(self, name: str, now: Shown, form: ConflictFormMixin) -> bool:
        """Let a field that was left alone show the new value. Tell whether its widget can."""
        field, html_name = form.fields[name], self.add_prefix(name)
        widget = cast("Any", field.widget)
        if isinstance(field, BlockField):
            return False
        data = cast("Any", self.data)
        value = field.prepare_value(form.get_initial_for_field(field, name))
        if isinstance(field.widget, forms.MultiWidget):
            for suffix, part, each in zip(widget.widgets_names, widget.decompress(value), widget.widgets, strict=False):
                data[html_name + suffix] = each.format_value(part) or ""
        elif isinstance(field.widget, forms.CheckboxInput):
            data.pop(html_name, None)
            if now:
                data[html_name] = "on"
        elif isinstance(now, list):
            if isinstance(field, forms.MultipleChoiceField | forms.ModelMultipleChoiceField):
                data.setlist(html_name, now)
            else:
                data[html_name] = value
        elif isinstance(field, forms.ModelChoiceField):
            data[html_name] = now
        else:
            data[html_name] = widget.format_value(value) or ""
        return True


@cache
def make_conflict_form(form_class: type[AnyForm]) -> type[AnyForm]:
    """Return the form with the check, for forms that others declare."""
    if issubclass(form_class, ConflictFormMixin):
        return form_class
    return cast("type[AnyForm]", type(form_class.__name__, (ConflictFormMixin, form_class), {}))


class LockedPostMixin:
    """Answers POST in one transaction, so that the lock a form takes when it is checked lasts until it is saved."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().post(request, *args, **kwargs)  # type: ignore[misc]
        return response


class ConflictEditMixin(LockedPostMixin, ConstraintViewMixin):
    """A Wagtail view that edits a row without revisions. Comes first among the bases."""

    request: HttpRequest

    def get_form_class(self) -> type[forms.BaseForm]:
        form_class: type[forms.BaseForm] = super().get_form_class()  # type: ignore[misc]
        made: type[forms.BaseForm] = make_conflict_form(form_class)  # type: ignore[arg-type]  # classes can be keys
        return made

    def get_form(self, *args: Any, **kwargs: Any) -> Any:
        form: Any = super().get_form(*args, **kwargs)  # type: ignore[misc]
        form.reader = self.request.user
        return form


class ConflictAdminMixin:
    """A page of the Django admin whose `form` is a conflict form. Django answers its POST in one transaction."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        return fieldsets if obj is None else [*fieldsets, (None, {"fields": ("seen",)})]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)  # type: ignore[misc]
        if obj is not None:
            form.reader = request.user  # the class is made for this request
        return form


def sign_values(about: str, values: Mapping[str, Shown]) -> str:
    """Sign what a page shows, with what it is about and when it was shown."""
    shown = {"about": about, "at": clock.now().isoformat(), "values": values}
    return signing.dumps(shown, salt=SALT, compress=True)


def read_signed_values(about: str, text: str) -> dict[str, Any] | None:
    """Return what a page about this showed (`at`, `values`); None if the text isn't one of `sign_values`."""
    try:
        seen: dict[str, Any] = signing.loads(text, salt=SALT)
    except signing.BadSignature:
        return None
    return seen if seen.get("about") == about else None


def to_shown(field: forms.Field, value: Any) -> Shown:
    """Return a field's value as JSON, the same whether it was stored or entered."""
    if isinstance(field, BlockField):
        for child in value or ():
            child.value  # noqa: B018 - until it is read, a block keeps what was stored, which may be in another form
        return str(_without_ids(field.block.get_prep_value(value))) if value is not None else ""
    if isinstance(field, forms.ModelMultipleChoiceField) and field.queryset is not None:
        # Keep to what can be chosen: a group may have permissions that its form doesn't show.
        chosen = {str(getattr(each, "pk", each)) for each in value or ()}
        return sorted(chosen & {str(key) for key in field.queryset.values_list("pk", flat=True)})
    if isinstance(field, DayField) or not isinstance(value, date | Decimal | bool):
        value = field.prepare_value(value)
    return _to_json(value)


def _to_json(value: Any) -> Shown:
    match value:
        case None:
            return ""
        case bool():
            return value
        case str():
            # Browsers send every line break as two characters.
            return value.replace("\r\n", "\n").strip()
        case datetime():
            # Pages show minutes, so seconds are no difference that anyone made.
            moment = timezone.make_aware(value) if timezone.is_naive(value) else value
            return moment.astimezone(timezone.get_default_timezone()).isoformat(timespec="minutes")
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value.normalize():f}" if value.is_finite() else str(value)
        case models.Model():
            return str(value.pk)
        case FieldFile():
            return value.name or ""
        case Mapping():
            return str(sorted(value.items()))
        case Iterable():
            return sorted(cast("str", _to_json(each)) if not isinstance(each, bool) else str(each) for each in value)
        case _other:
            return str(value)


def _without_ids(value: Any) -> Any:
    """Drop the ids of blocks, which are made anew for each page."""
    if isinstance(value, dict):
        return {name: _without_ids(each) for name, each in value.items() if name != "id"}
    return [_without_ids(each) for each in value] if isinstance(value, list) else value


def describe_difference(field: forms.Field, before: Shown, now: Shown) -> str:
    """Say from what to what a field changed."""
    if isinstance(field, BlockField):
        return _("This was changed.")
    if isinstance(now, list) or isinstance(before, list) or "\n" in f"{before}{now}":
        old, new = set(_as_list(before)), set(_as_list(now))
        parts = []
        if added := new - old:
            parts.append(_("Added: %(what)s.") % {"what": _name_several(field, added)})
        if gone := old - new:
            parts.append(_("Removed: %(what)s.") % {"what": _name_several(field, gone)})
        return " ".join(parts)
    names = {"before": name_value(field, before), "now": name_value(field, now)}
    return _("Changed from “%(before)s” to “%(now)s”.") % names


def name_value(field: forms.Field, value: Shown) -> str:
    """Name a value as the page shows it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value in {"", None}:
        return _("empty")
    text = str(value)
    if isinstance(field, forms.ModelChoiceField):
        key = field.to_field_name or "pk"
        found = field.queryset.model._base_manager.filter(**{key: text}).first() if field.queryset is not None else None
        return str(found) if found is not None else text
    if isinstance(field, forms.ChoiceField):
        return _name_choice(field, text)
    if isinstance(field, forms.DateTimeField) and not isinstance(field, DayField):
        return format_moment(datetime.fromisoformat(text), zone=timezone.get_current_timezone())
    if isinstance(field, forms.DateField | DayField):
        return date_format(date.fromisoformat(text), "DATE_FORMAT")
    return Truncator(text).chars(80)


def describe_authors(row: models.Model, *, since: datetime, reader: Any = None) -> str:
    """Name those who changed a row since then, as a list in words. “Someone” if the logs don't know."""
    logs = log_registry.get_logs_for_instance(row).filter(timestamp__gte=since).select_related("user")
    users = [entry.user for entry in logs if entry.user_id is not None]
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(row), object_id=str(row.pk), action_time__gte=since
    )
    users += [entry.user for entry in entries.select_related("user")]
    names = dict.fromkeys(_("You, in another window,") if each == reader else each.get_full_name() for each in users)
    return " · ".join(names) or _("Someone")


def _read_again(row: models.Model) -> models.Model | None:
    """Read a row again: under its lock if a transaction will keep it."""
    rows: models.QuerySet[Any] = row._meta.base_manager.filter(pk=row.pk)
    if connection.in_atomic_block:
        rows = rows.select_for_update(of=("self",), no_key=True)
    return rows.first()


def _name_row(row: models.Model) -> str:
    return f"{row._meta.label_lower}.{row.pk}"


def _as_list(value: Shown) -> list[str]:
    return value if isinstance(value, list) else str(value).splitlines() if value else []


def _name_several(field: forms.Field, values: Iterable[str], most: int = 5) -> str:
    chosen = sorted(values)
    if isinstance(field, forms.ModelMultipleChoiceField) and field.queryset is not None:
        key = field.to_field_name or "pk"
        found = field.queryset.model._base_manager.filter(**{f"{key}__in": chosen[:most]})
        names = [str(each) for each in found]
    elif isinstance(field, forms.MultipleChoiceField):
        names = [_name_choice(field, each) for each in chosen[:most]]
    else:
        names = chosen[:most]
    more = len(chosen) - most
    return ", ".join(names) + (_(" and %(n)d more") % {"n": more} if more > 0 else "")


def _name_choice(field: forms.ChoiceField, value: str) -> str:
    for key, label in cast("Iterable[Any]", field.choices):
        if isinstance(label, list | tuple):
            for inner, name in label:
                if str(inner) == value:
                    return str(name)
        elif str(key) == value:
            return str(label)
    return value
