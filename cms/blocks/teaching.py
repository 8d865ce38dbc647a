"""What a course teaches, when and by whom."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.snippets.blocks import SnippetChooserBlock

from cms.blocks.text import SHORT_TEXT


class OutcomesBlock(blocks.StructBlock):
    """What you'll learn, point by point."""

    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("What you will be able to do"))
    items = blocks.ListBlock(
        blocks.CharBlock(label=_("Outcome"), max_length=160), label=_("Outcomes"), min_num=1, max_num=12
    )

    class Meta:
        icon = "tick"
        label = _("What you'll learn")
        template = "cms/blocks/outcomes.html"
        description = _("Short points, each with a verb: “Read an error message and find the cause”.")
        anchor = "about"
        tab = _("About")


class SyllabusPartBlock(blocks.StructBlock):
    """One part of the syllabus."""

    when = blocks.CharBlock(label=_("When"), max_length=40, required=False, help_text=_("Week 1, Weeks 4–5 …"))
    title = blocks.CharBlock(label=_("Title"), max_length=150)
    text = blocks.RichTextBlock(label=_("What happens"), features=SHORT_TEXT, required=False)

    class Meta:
        icon = "list-ol"
        label = _("Part")


class SyllabusBlock(blocks.StructBlock):
    """What happens in which week."""

    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("Syllabus"))
    note = blocks.CharBlock(label=_("Note"), max_length=120, required=False, help_text=_("31 lessons · 6 projects"))
    parts = blocks.ListBlock(SyllabusPartBlock(), label=_("Parts"), min_num=1, max_num=30)

    class Meta:
        icon = "list-ol"
        label = _("Syllabus")
        template = "cms/blocks/syllabus.html"
        description = _("The course's parts, in order. Dates come from the course run, so leave them out.")
        anchor = "syllabus"
        tab = _("Syllabus")


class FacultyBlock(blocks.StructBlock):
    """Who teaches."""

    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("Instructors"))
    people = blocks.ListBlock(
        SnippetChooserBlock("cms.Instructor", label=_("Instructor")), label=_("People"), min_num=1, max_num=12
    )

    class Meta:
        icon = "group"
        label = _("Faculty")
        template = "cms/blocks/faculty.html"
        description = _("The people who teach. Write about someone once, show them on every course.")
        anchor = "instructors"
        tab = _("Instructors")
