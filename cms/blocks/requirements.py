"""A program's requirements as editors write them: groups of courses, needed in full or in part."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import BadRequest, ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.snippets.blocks import SnippetChooserBlock


class CourseGroupBlock(blocks.StructBlock):
    title = blocks.CharBlock(label=_("Title"), max_length=255, required=False)
    courses = blocks.ListBlock(SnippetChooserBlock("courses.Course"), label=_("Courses"), min_num=1, max_num=40)

    class Meta:
        icon = "list-ul"


class AllOfBlock(CourseGroupBlock):
    class Meta:
        label = _("All of these")


class AtLeastBlock(CourseGroupBlock):
    at_least = blocks.IntegerBlock(label=_("How many"), min_value=1, max_value=40)

    class Meta:
        label = _("At least some of these")

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        if cleaned["at_least"] > len(cleaned["courses"]):
            error = ValidationError(_("The group has fewer courses than that. Add courses or ask for fewer."))
            raise blocks.StructBlockValidationError(block_errors={"at_least": error})
        return cleaned


class RequirementsBlock(blocks.StreamBlock):
    """Every group is required."""

    all_of = AllOfBlock()
    at_least = AtLeastBlock()

    class Meta:
        required = False
        max_num = 12

    def value_from_datadict(self, data: Any, files: Any, prefix: str) -> Any:
        # A form that was sent before it was loaded must neither crash nor take the requirements away.
        if f"{prefix}-count" not in data:
            raise BadRequest("The form came without its requirements")
        return super().value_from_datadict(data, files, prefix)

    def clean(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        cleaned = super().clean(value, *args, **kwargs)
        seen: set[int] = set()
        errors: dict[int, ValidationError] = {}
        for index, group in enumerate(cleaned):
            for course in group.value["courses"]:
                if course.pk in seen:
                    errors[index] = ValidationError(
                        _("“%(title)s” is among the requirements twice. A course counts once."),
                        params={"title": course.title},
                    )
                seen.add(course.pk)
        if errors:
            raise blocks.StreamBlockValidationError(block_errors=errors)
        return cleaned
