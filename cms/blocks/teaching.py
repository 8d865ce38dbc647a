"""Blocks about the teaching of a course."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.snippets.blocks import SnippetChooserBlock

from cms.blocks.text import SHORT_TEXT


class OutcomesBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("What you’ll be able to do"))
    items = blocks.ListBlock(
        blocks.CharBlock(label=_("Outcome"), max_length=160), label=_("Outcomes"), min_num=1, max_num=12
    )

    class Meta:
        icon = "tick"
        label = _("What you’ll learn")
        template = "cms/blocks/outcomes.html"
        description = _("Short points that start with a verb: “Read an error message and find the cause”.")
        anchor = "about"
        tab = _("About")


class SyllabusPartBlock(blocks.StructBlock):
    when = blocks.CharBlock(
        label=_("When"), max_length=40, required=False, help_text=_("For example “Week 1” or “Weeks 4–5”.")
    )
    title = blocks.CharBlock(label=_("Title"), max_length=150)
    text = blocks.RichTextBlock(label=_("What happens"), features=SHORT_TEXT, required=False)

    class Meta:
        icon = "list-ol"
        label = _("Part")


class SyllabusBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("Syllabus"))
    note = blocks.CharBlock(
        label=_("Note"), max_length=120, required=False, help_text=_("For example “31 lessons · 6 projects”.")
    )
    parts = blocks.ListBlock(SyllabusPartBlock(), label=_("Parts"), min_num=1, max_num=30)

    class Meta:
        icon = "list-ol"
        label = _("Syllabus")
        template = "cms/blocks/syllabus.html"
        description = _("The course’s parts, in order. Leave out dates: they come from the course run.")
        anchor = "syllabus"
        tab = _("Syllabus")


class FacultyBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("Instructors"))
    people = blocks.ListBlock(
        SnippetChooserBlock("cms.Instructor", label=_("Instructor")), label=_("People"), min_num=1, max_num=12
    )

    class Meta:
        icon = "group"
        label = _("Faculty")
        template = "cms/blocks/faculty.html"
        description = _("The instructors. Write about someone once and show them on every course.")
        anchor = "instructors"
        tab = _("Instructors")
