"""The form in which managers hand out codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from b2b.selectors.managers import ManagedRun
from b2b.services.handouts.recipients import Recipient
from mitxonline.kernel.people.fields import PeopleForm


class ManagerHandOutForm(PeopleForm):
    """A course, and people typed or from a file. The service decides which of them get a code, not the form."""

    use_required_attribute = False
    field_order = ["run", "people", "file"]

    run = forms.ChoiceField(label=_("Course"), error_messages={"required": _("Choose a course.")})
    people = forms.CharField(
        label=_("E-mail addresses"),
        strip=False,
        error_messages={"required": _("Enter at least one address, or choose a file.")},
        help_text=_("One per line, or paste from a spreadsheet. “Name, e-mail” works too."),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}),
    )

    def __init__(self, runs: Sequence[ManagedRun], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(run.pk), run.title) for run in runs if run.is_open]
        field = self.fields["run"]
        if isinstance(field, forms.ChoiceField):
            field.choices = choices
            field.error_messages["invalid_choice"] = _("Choose one of the courses.")

    @property
    def recipients(self) -> list[Recipient]:
        return [Recipient(person.email, person.name, person.is_unclear) for person in self.listed]

    def as_typed(self, runs: Sequence[ManagedRun]) -> ManagerHandOutForm:
        """Return the form with all people as typed text."""
        return ManagerHandOutForm(runs, {"run": self.cleaned_data["run"], "people": self.text})
