"""What managers fill in: whom to give codes of which course."""

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

MOST_BYTES = 1_000_000
MOST_PEOPLE = 5_000


class ManagerHandOutForm(forms.Form):
    """Course and people, typed or from a file. Who of them gets a code is the service's answer, not this form's."""

    use_required_attribute = False

    run = forms.ChoiceField(label=_("Course"), error_messages={"required": _("Choose a course.")})
    people = forms.CharField(
        label=_("E-mail addresses"),
        strip=False,
        error_messages={"required": _("Type or paste at least one address, or choose a file.")},
        help_text=_("One per line, or paste from a spreadsheet. “Name, address” works too."),
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
        """The people in the file; none without one."""
        file = self.cleaned_data.get("file")
        if not isinstance(file, UploadedFile):
            return []
        if (file.size or 0) > MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than 1 MB. Shorten the list, or send it in parts."))
        try:
            people = parse_people_file(file.read())
        except FileUnreadable as error:
            raise forms.ValidationError(error.sentence) from None
        if not people:
            raise forms.ValidationError(_("There is no one in this file."))
        return people

    def clean(self) -> dict[str, Any]:
        """Typed and from the file, together one list."""
        cleaned = super().clean() or {}
        people = [*parse_people(cleaned.get("people") or ""), *(cleaned.get("file") or [])]
        if not people and not self.errors:
            self.add_error("people", self.fields["people"].error_messages["required"])
        if len(people) > MOST_PEOPLE:
            sentence = ngettext(
                "That is more than %(most)d person at once. Send the list in parts.",
                "That is more than %(most)d people at once. Send the list in parts.",
                MOST_PEOPLE,
            )
            self.add_error("people", sentence % {"most": MOST_PEOPLE})
        cleaned["listed"] = people
        return cleaned

    @property
    def recipients(self) -> list[Recipient]:
        return [Recipient(person.email, person.name) for person in self.cleaned_data["listed"]]

    @property
    def had_a_file(self) -> bool:
        """Whether part of the list came from a file, which the browser doesn't send a second time."""
        return bool(self.cleaned_data.get("file"))

    def as_typed(self, runs: Sequence[ManagedRun]) -> ManagerHandOutForm:
        """The same list as if all of it had been typed."""
        return ManagerHandOutForm(
            runs, {"run": self.cleaned_data["run"], "people": format_people(self.cleaned_data["listed"])}
        )
