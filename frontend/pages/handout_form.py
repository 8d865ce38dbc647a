"""The form in which managers hand out codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from b2b.selectors.managers import ManagedRun
from b2b.services.handouts.assign import Recipient
from mitxonline.kernel.addresses import FileUnreadable, ListedPerson, format_people, parse_people, parse_people_file

MAX_BYTES = 1_000_000
MAX_PEOPLE = 5_000


class ManagerHandOutForm(forms.Form):
    """A course, and people typed or from a file. The service decides which of them get a code, not the form."""

    use_required_attribute = False

    run = forms.ChoiceField(label=_("Course"), error_messages={"required": _("Choose a course.")})
    people = forms.CharField(
        label=_("E-mail addresses"),
        strip=False,
        error_messages={"required": _("Enter at least one address, or choose a file.")},
        help_text=_("One per line, or paste from a spreadsheet. “Name, e-mail” works too."),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}),
    )
    file = forms.FileField(
        label=_("Or a CSV file"),
        required=False,
        allow_empty_file=True,
        help_text=_(
            "With columns “Name” and “E-mail”, as spreadsheet programs save it. We only use it to fill the list."
        ),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
    )

    def __init__(self, runs: Sequence[ManagedRun], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(run.pk), run.title) for run in runs if run.is_open]
        field = self.fields["run"]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices
            field.error_messages["invalid_choice"] = _("Choose one of the courses.")
        self.fields["people"].required = "file" not in (self.files or {})

    def clean_file(self) -> list[ListedPerson]:
        file = self.cleaned_data.get("file")
        if not isinstance(file, UploadedFile):
            return []
        if (file.size or 0) > MAX_BYTES:
            raise forms.ValidationError(_("The file is larger than 1 MB. Shorten the list, or send it in parts."))
        try:
            people = parse_people_file(file.read())
        except FileUnreadable as error:
            raise forms.ValidationError(error.sentence) from None
        if not people:
            raise forms.ValidationError(_("There are no people in this file."))
        return people

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        people = [*parse_people(cleaned.get("people") or ""), *(cleaned.get("file") or [])]
        if not people and not self.errors:
            self.add_error("people", self.fields["people"].error_messages["required"])
        if len(people) > MAX_PEOPLE:
            sentence = ngettext(
                "That’s more than %(most)d person at once. Send the list in parts.",
                "That’s more than %(most)d people at once. Send the list in parts.",
                MAX_PEOPLE,
            )
            self.add_error("people", sentence % {"most": MAX_PEOPLE})
        cleaned["listed"] = people
        return cleaned

    @property
    def recipients(self) -> list[Recipient]:
        return [Recipient(person.email, person.name) for person in self.cleaned_data["listed"]]

    @property
    def had_a_file(self) -> bool:
        """Whether some people came from a file, which browsers don't send a second time."""
        return bool(self.cleaned_data.get("file"))

    def as_typed(self, runs: Sequence[ManagedRun]) -> ManagerHandOutForm:
        """Return the form with all people as typed text."""
        return ManagerHandOutForm(
            runs, {"run": self.cleaned_data["run"], "people": format_people(self.cleaned_data["listed"])}
        )
