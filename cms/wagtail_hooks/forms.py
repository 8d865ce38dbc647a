"""Forms with which the catalog is written in the Wagtail admin. What they refuse they refuse with a sentence."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.blocks.base import BlockField

from cms.blocks.requirements import RequirementsBlock
from courses.models import Course, CourseRun
from courses.models.keys import course_number, parse_course_key
from courses.models.run import SOURCE_TAG
from courses.services.requirements import Group, groups_of, set_requirements


class CourseForm(WagtailAdminModelForm):
    """A course. Its id is part of addresses and keys, so it stays once there are runs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and CourseRun.all_objects.filter(course=self.instance).exists():
            self.fields["readable_id"].disabled = True
            self.fields["readable_id"].help_text = _("There are runs with this id in their key, so it stays.")

    def clean(self) -> dict[str, Any]:
        """The most hours come last."""
        cleaned: dict[str, Any] = super().clean()
        least, most = cleaned.get("hours_per_week_min"), cleaned.get("hours_per_week_max")
        if least and most and most < least:
            self.add_error("hours_per_week_max", _("The most hours a week can't be less than the fewest."))
        return cleaned


class CourseRunForm(WagtailAdminModelForm):
    """A public run of a course; contracts make theirs themselves."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["title"].required = False
        self.fields["title"].help_text = _("Empty: the course's title.")
        if self.instance.pk:
            for name in ("course", "courseware_id"):
                self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        """The key names the course, and every date comes after the one before it."""
        cleaned: dict[str, Any] = super().clean()
        self._check_key(cleaned.get("course"), cleaned.get("courseware_id", ""))
        for first, last, sentence in (
            ("start_date", "end_date", _("The run can't end before it starts.")),
            ("enrollment_start", "enrollment_end", _("Enrollment can't close before it opens.")),
        ):
            begins, ends = cleaned.get(first), cleaned.get(last)
            if begins and ends and ends < begins:
                self.add_error(last, sentence)
        if cleaned.get("course") and not cleaned.get("title"):
            cleaned["title"] = cleaned["course"].title
        return cleaned

    def save(self, commit: bool = True) -> Any:
        """The run's tag is the last part of its key."""
        self.instance.run_tag = self.instance.courseware_id.rpartition("+")[2]
        return super().save(commit=commit)

    def _check_key(self, course: Course | None, key: str) -> None:
        if course is None or parse_course_key(key) is None or self.instance.pk:
            return
        is_source = key.endswith(f"+{SOURCE_TAG}") and course_number(key) == course.number
        if not is_source and not key.startswith(f"{course.readable_id}+"):
            self.add_error(
                "courseware_id",
                _("The key of a run of this course begins with %(begin)s") % {"begin": f"{course.readable_id}+"},
            )


class ProgramForm(WagtailAdminModelForm):
    """A program with what it asks for."""

    requirements = BlockField(
        block=RequirementsBlock(),
        required=False,
        label=_("Requirements"),
        help_text=_("Every group is needed, in this order. A program without courses can't be taken."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = groups_of(self.instance.pk) if self.instance.pk else []
        self.can_write_requirements = groups is not None
        self.initial["requirements"] = RequirementsBlock().to_python(_as_stream(groups or []))
        if not self.can_write_requirements:
            self.fields["requirements"].disabled = True
            self.fields["requirements"].help_text = _(
                "This program has groups inside groups. They can't be changed here; ask an operator."
            )

    def save(self, commit: bool = True) -> Any:
        """The requirements are rows of their own: they are written once the program is there."""
        program = super().save(commit=commit)
        if commit:
            self._save_requirements()
        return program

    def _save_m2m(self) -> None:
        super()._save_m2m()
        self._save_requirements()

    def _save_requirements(self) -> None:
        if self.can_write_requirements:
            set_requirements(program=self.instance, groups=_as_groups(self.cleaned_data["requirements"]))


class DepartmentForm(WagtailAdminModelForm):
    """A department."""

    slug = forms.SlugField(
        label=_("Short name"), help_text=_("Part of addresses, and what the colors of its covers go by.")
    )


def _as_stream(groups: list[Group]) -> list[dict[str, Any]]:
    """Groups as the raw data of the block that edits them."""
    return [
        {
            "type": str(group.kind.value),
            "value": {"title": group.title, "courses": list(group.course_ids)}
            | ({} if group.at_least is None else {"at_least": group.at_least}),
        }
        for group in groups
    ]


def _as_groups(stream: Any) -> list[Group]:
    return [
        Group(
            title=block.value["title"],
            course_ids=tuple(course.pk for course in block.value["courses"]),
            at_least=block.value.get("at_least"),
        )
        for block in stream
    ]
