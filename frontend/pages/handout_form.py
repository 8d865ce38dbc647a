"""The form in which codes are handed out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from b2b.services.handouts.recipients import Recipient
from frontend.pages.handouts import CourseChoice
from mitxonline.kernel.people.fields import PeopleForm


class RecipientsForm(PeopleForm):
    """People typed or from a file, and a course where there is a choice. The service decides who gets a code."""

    use_required_attribute = False
    field_order = ["run", "people", "file"]

    run = forms.ChoiceField(
        label=_("Course"),
        error_messages={"required": _("Choose a course."), "invalid_choice": _("Choose one of the courses.")},
    )
    people = forms.CharField(
        label=_("E-mail addresses"),
        strip=False,
        error_messages={"required": _("Enter at least one address, or choose a file.")},
        help_text=_("One per line, or paste from a spreadsheet. “Name, e-mail” works too."),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}),
    )

    def __init__(self, courses: Sequence[CourseChoice] | None, *args: Any, **kwargs: Any) -> None:
        """Without `courses` there is no choice."""
        super().__init__(*args, **kwargs)
        field = self.fields["run"]
        if courses is None:
            del self.fields["run"]
        elif isinstance(field, forms.ChoiceField):
            field.choices = [(str(course.pk), course.title) for course in courses]

    @property
    def course_id(self) -> int | None:
        return int(self.cleaned_data["run"]) if "run" in self.fields else None

    @property
    def recipients(self) -> list[Recipient]:
        return [Recipient(person.email, person.name, person.is_unclear) for person in self.listed]

    def as_typed(self, courses: Sequence[CourseChoice] | None) -> RecipientsForm:
        """Return the form with all people as typed text."""
        return RecipientsForm(courses, {"run": self.cleaned_data.get("run", ""), "people": self.text})
