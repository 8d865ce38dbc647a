"""The form fields for lists of people, with the questions that a list leaves open."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from mitxonline.kernel.people.files import FileUnreadable
from mitxonline.kernel.people.lines import ListedPerson, format_people
from mitxonline.kernel.people.reader import About, PeopleList, Question, read_people, read_people_file

MAX_BYTES = 1_000_000
ACCEPTED = ".csv,.txt,.tsv,.xlsx,text/csv,text/plain,text/tab-separated-values"
FILE_HELP = _(
    "A CSV file or an Excel workbook, with headings like “Name” and “E-mail”. We only use it to fill the list."
)
CHOOSE = _("Choose one.")
QUESTIONS = ("file_spelling", "file_column", "typed_column")


class PeopleForm(forms.Form):
    """A typed list, a file, or both, in the field that `people_field` names and in `file`.

    A list that leaves something open is shown again with a question. The file stays in a hidden field meanwhile,
    because browsers don't send one twice. `listed` is what was read, `heading` a first line that was taken for one.
    """

    people_field = "people"
    max_people = 5_000

    listed: tuple[ListedPerson, ...] = ()
    heading = ""

    file = forms.FileField(
        label=_("Or a file"),
        required=False,
        allow_empty_file=True,
        help_text=FILE_HELP,
        widget=forms.FileInput(attrs={"accept": ACCEPTED}),
    )
    kept_file = forms.CharField(required=False, max_length=MAX_BYTES * 2, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_question = False
        if self.files.get(self.add_prefix("file")) or self.data.get(self.add_prefix("kept_file")):
            self.fields[self.people_field].required = False

    def clean_file(self) -> bytes | None:
        """Return the bytes of the file that was chosen now, or else before the question."""
        file = self.cleaned_data.get("file")
        if isinstance(file, UploadedFile):
            if (file.size or 0) > MAX_BYTES:
                raise forms.ValidationError(_("The file is larger than 1 MB. Shorten the list, or send it in parts."))
            content: bytes = file.read()
            return content
        kept = self.data.get(self.add_prefix("kept_file")) or ""
        try:
            return base64.b64decode(kept, validate=True)[:MAX_BYTES] or None
        except (binascii.Error, ValueError):
            return None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        data = cleaned.get("file")
        people = [*self._read_typed(cleaned.get(self.people_field) or ""), *self._read_file(data)]
        if not self.errors and not people:
            self.add_error(self.people_field, self.fields[self.people_field].error_messages["required"])
        if len(people) > self.max_people:
            sentence = ngettext(
                "That’s more than %(most)s person at once. Send the list in parts.",
                "That’s more than %(most)s people at once. Send the list in parts.",
                self.max_people,
            )
            self.add_error(self.people_field, sentence % {"most": f"{self.max_people:,}"})
        self.listed = tuple(people)
        self._keep(data)
        return cleaned

    @property
    def has_new_text(self) -> bool:
        """Whether the list has to be shown as `text` before it is used: browsers don't send a file a second time."""
        return bool(self.cleaned_data.get("file") or self._answer("typed_column"))

    @property
    def questions(self) -> list[forms.BoundField]:
        return [self[name] for name in QUESTIONS if name in self.fields]

    @property
    def text(self) -> str:
        """All people as typed text."""
        return format_people(self.listed)

    def ask_quietly(self) -> None:
        """Drop the errors of questions, for a check while someone types: an error would take the focus."""
        for name in QUESTIONS:
            self.errors.pop(name, None)

    def _read_typed(self, text: str) -> tuple[ListedPerson, ...]:
        found = read_people(text, column=self._answer("typed_column"))
        return self._take(found, {About.COLUMN: "typed_column"})

    def _read_file(self, data: bytes | None) -> tuple[ListedPerson, ...]:
        if data is None:
            return ()
        spelling = self._answer("file_spelling")
        try:
            found = read_people_file(data, column=self._answer("file_column"), encoding=spelling)
        except FileUnreadable as error:
            self.add_error("file", error.sentence)
            return ()
        if not found.people and found.question is None:
            self.add_error("file", _("There are no people in this file."))
        if spelling and not (found.question and found.question.about is About.SPELLING):
            # Asked first, and answered: the answer goes along with the next question.
            self.fields["file_spelling"] = forms.CharField(required=False, widget=forms.HiddenInput)
        return self._take(found, {About.COLUMN: "file_column", About.SPELLING: "file_spelling"})

    def _take(self, found: PeopleList, names: dict[About, str]) -> tuple[ListedPerson, ...]:
        if found.question is not None:
            self._ask(found.question, names[found.question.about])
        self.heading = self.heading or found.heading
        return found.people

    def _ask(self, question: Question, name: str) -> None:
        self.has_question = True
        self.fields[name] = forms.ChoiceField(
            label=question.sentence, choices=question.choices, widget=forms.RadioSelect, required=True
        )
        self.add_error(name, CHOOSE)

    def _answer(self, name: str) -> str:
        return str(self.data.get(self.add_prefix(name)) or "")

    def _keep(self, data: bytes | None) -> None:
        """Keep the file for the time of a question; afterwards its people are in the typed list."""
        data_with_file: Any = self.data.copy()  # type: ignore[attr-defined]  # a QueryDict or a dict
        kept = data if self.has_question and data is not None else b""
        data_with_file[self.add_prefix("kept_file")] = base64.b64encode(kept).decode()
        if self.has_new_text and self.listed and not self.has_question:
            data_with_file[self.add_prefix(self.people_field)] = self.text
        self.data = data_with_file
