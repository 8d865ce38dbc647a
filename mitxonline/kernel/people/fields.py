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
from mitxonline.kernel.people.lines import ListedPerson, format_people, is_email_address, read_line
from mitxonline.kernel.people.reader import About, PeopleList, Question, read_people, read_people_file
from mitxonline.kernel.text import normalize_email

MAX_BYTES = 1_000_000
ACCEPTED = ".csv,.txt,.tsv,.xlsx,text/csv,text/plain,text/tab-separated-values"
FILE_HELP = _(
    "A CSV file or an Excel workbook, with headings like “Name” and “E-mail”. We only use it to fill the list."
)
CHOOSE = _("Choose one.")
ADDRESS_INCOMPLETE = _("Enter a complete e-mail address, such as sam@example.com.")


class PersonField(forms.CharField):
    """One person, with or without a name, as in a list of people: “Doe, Jane <jane@example.org>”.

    Cleans to a ListedPerson with a normalized address.
    """

    # Browsers refuse names in a field of their type “email”.
    widget = forms.TextInput(
        attrs={"inputmode": "email", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
    )

    def clean(self, value: Any) -> ListedPerson:
        people = read_line(super().clean(value))
        if len(people) > 1:
            raise forms.ValidationError(_("Enter one person."), code="invalid")
        if not people or people[0].is_unclear or not is_email_address(email := normalize_email(people[0].email)):
            raise forms.ValidationError(ADDRESS_INCOMPLETE, code="invalid")
        return ListedPerson(email, people[0].name)


class PeopleInput:
    """One list of people in a form: typed in the field `typed`, in a file, or both.

    A list that leaves something open is shown again with a question. The file stays in a hidden field meanwhile,
    because browsers don't send one twice. `listed` is what was read, `heading` a first line that was taken for one,
    and `doubtful_heading` the same if it may as well be a person, because it isn't the first row of a table.
    The names of the other fields begin with `prefix`.
    """

    def __init__(self, form: forms.Form, typed: str, prefix: str = "") -> None:
        self.form, self.typed = form, typed
        self.file, self.kept_file = f"{prefix}file", f"{prefix}kept_file"
        self.questions = tuple(f"{prefix}{name}" for name in ("file_spelling", "file_column", "typed_column"))
        self.spelling, self.file_column, self.typed_column = self.questions
        self.listed: tuple[ListedPerson, ...] = ()
        self.heading = self.doubtful_heading = ""
        self.has_question = False
        form.fields[self.file] = forms.FileField(
            label=_("Or a file"),
            required=False,
            allow_empty_file=True,
            help_text=FILE_HELP,
            widget=forms.FileInput(attrs={"accept": ACCEPTED}),
        )
        form.fields[self.kept_file] = forms.CharField(
            required=False, max_length=MAX_BYTES * 2, widget=forms.HiddenInput
        )
        if self.was_sent:
            form.fields[typed].required = False

    @property
    def was_sent(self) -> bool:
        """Whether a file came now, or before a question."""
        form = self.form
        return bool(form.files.get(form.add_prefix(self.file)) or self._answer(self.kept_file))

    def read(self, text: str) -> None:
        """Read the typed text and the file; ask or complain at the form's fields."""
        data = self._read_bytes()
        self.listed = (*self._read_typed(text), *self._read_file(data))
        self._keep(data)

    @property
    def text(self) -> str:
        """All people as typed text."""
        return format_people(self.listed)

    @property
    def has_new_text(self) -> bool:
        """Whether the list has to be shown as `text` before it is used: browsers don't send a file a second time."""
        return bool(self.was_sent or self._answer(self.typed_column))

    def _read_bytes(self) -> bytes | None:
        file = self.form.cleaned_data.get(self.file)
        if isinstance(file, UploadedFile):
            if (file.size or 0) <= MAX_BYTES:
                content: bytes = file.read()
                return content
            self.form.add_error(self.file, _("The file is larger than 1 MB. Shorten the list, or send it in parts."))
            return None
        try:
            return base64.b64decode(self._answer(self.kept_file), validate=True)[:MAX_BYTES] or None
        except (binascii.Error, ValueError):
            return None

    def _read_typed(self, text: str) -> tuple[ListedPerson, ...]:
        found = read_people(text, column=self._answer(self.typed_column))
        self.doubtful_heading = found.heading
        return self._take(found, {About.COLUMN: self.typed_column})

    def _read_file(self, data: bytes | None) -> tuple[ListedPerson, ...]:
        if data is None:
            return ()
        spelling = self._answer(self.spelling)
        try:
            found = read_people_file(data, column=self._answer(self.file_column), encoding=spelling)
        except FileUnreadable as error:
            self.form.add_error(self.file, str(error.sentence))
            return ()
        if ", " not in found.heading:  # one cell
            self.doubtful_heading = self.doubtful_heading or found.heading
        if not found.people and found.question is None:
            self.form.add_error(self.file, _("There are no people in this file."))
        if spelling and not (found.question and found.question.about is About.SPELLING):
            # Asked first, and answered: the answer goes along with the next question.
            self.form.fields[self.spelling] = forms.CharField(required=False, widget=forms.HiddenInput)
        return self._take(found, {About.COLUMN: self.file_column, About.SPELLING: self.spelling})

    def _take(self, found: PeopleList, names: dict[About, str]) -> tuple[ListedPerson, ...]:
        if found.question is not None:
            self._ask(found.question, names[found.question.about])
        self.heading = self.heading or found.heading
        return found.people

    def _ask(self, question: Question, name: str) -> None:
        self.has_question = True
        self.form.fields[name] = forms.ChoiceField(
            label=question.sentence, choices=question.choices, widget=forms.RadioSelect, required=True
        )
        self.form.add_error(name, CHOOSE)

    def _answer(self, name: str) -> str:
        return str(self.form.data.get(self.form.add_prefix(name)) or "")

    def _keep(self, data: bytes | None) -> None:
        """Keep the file for the time of a question; afterwards its people are in the typed list."""
        form = self.form
        data_with_file: Any = form.data.copy()  # type: ignore[attr-defined]  # a QueryDict or a dict
        if self.has_new_text and self.listed and not self.has_question:
            data_with_file[form.add_prefix(self.typed)] = self.text
        kept = data if self.has_question and data is not None else b""
        data_with_file[form.add_prefix(self.kept_file)] = base64.b64encode(kept).decode()
        form.data = data_with_file


class PeopleForm(forms.Form):
    """A form with one list of people, in the field that `people_field` names and in `file`."""

    people_field = "people"
    max_people = 5_000

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.list = PeopleInput(self, self.people_field)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self.list.read(cleaned.get(self.people_field) or "")
        if not self.errors and not self.listed:
            self.add_error(self.people_field, self.fields[self.people_field].error_messages["required"])
        if len(self.listed) > self.max_people:
            sentence = ngettext(
                "That’s more than %(most)s person at once. Send the list in parts.",
                "That’s more than %(most)s people at once. Send the list in parts.",
                self.max_people,
            )
            self.add_error(self.people_field, sentence % {"most": f"{self.max_people:,}"})
        return cleaned

    @property
    def listed(self) -> tuple[ListedPerson, ...]:
        return self.list.listed

    @property
    def heading(self) -> str:
        return self.list.heading

    @property
    def has_question(self) -> bool:
        return self.list.has_question

    @property
    def has_new_text(self) -> bool:
        return self.list.has_new_text

    @property
    def text(self) -> str:
        return self.list.text

    @property
    def questions(self) -> list[forms.BoundField]:
        return [self[name] for name in self.list.questions if name in self.fields]

    def ask_quietly(self) -> None:
        """Drop the errors of questions, for a check while someone types: an error would take the focus."""
        for name in self.list.questions:
            self.errors.pop(name, None)
