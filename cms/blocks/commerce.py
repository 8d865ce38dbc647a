"""Blocks that lead to a course. Editors never type prices or dates: the templates read them from the shop."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from cms.blocks.text import SHORT_TEXT


def course_chooser(**options: Any) -> blocks.PageChooserBlock:
    return blocks.PageChooserBlock(page_type="cms.CoursePage", **options)


class EnrollPanelBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120, required=False)
    course = course_chooser(
        label=_("Course"), required=False, help_text=_("Leave empty on a course’s page to use that course.")
    )

    class Meta:
        icon = "tag"
        label = _("Price and enroll panel")
        template = "cms/blocks/enroll_panel.html"
        description = _("The price, the next starts and the right button, always up to date.")


class FeaturedCoursesBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("Courses to start with"))
    courses = blocks.ListBlock(course_chooser(), label=_("Courses"), min_num=1, max_num=8)

    class Meta:
        icon = "pick"
        label = _("Featured courses")
        template = "cms/blocks/featured_courses.html"
        description = _("Course cards in the order you choose. Courses that aren’t public are left out.")


class ContactBlock(blocks.StructBlock):
    """A button to the support address, which is a setting of the brand so that it is the same on every page."""

    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("Talk to us"))
    text = blocks.TextBlock(label=_("Text"), max_length=300, rows=2, required=False)
    label = blocks.CharBlock(label=_("Button text"), max_length=40, default=_("Write to us"))

    class Meta:
        icon = "mail"
        label = _("Contact")
        template = "cms/blocks/contact.html"
        description = _("A button that starts an e-mail to the brand’s support address.")


class CallToActionBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120)
    text = blocks.RichTextBlock(label=_("Text"), features=SHORT_TEXT, required=False)
    label = blocks.CharBlock(label=_("Button text"), max_length=40)
    page = blocks.PageChooserBlock(label=_("Page"), required=False)
    address = blocks.CharBlock(
        label=_("Or an address"),
        max_length=500,
        required=False,
        help_text=_("/cart/, https://… or mailto:…"),
    )

    class Meta:
        icon = "bullhorn"
        label = _("Call to action")
        template = "cms/blocks/call_to_action.html"
        description = _("A heading, a sentence and a button.")

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        validate_target(cleaned)
        return cleaned


def validate_target(value: Any) -> None:
    """Raise StructBlockValidationError unless there is either a page or an address, and the address is safe to link.

    Other schemes (javascript:) and addresses without one (//elsewhere.example) are refused.
    """
    page, address = value.get("page"), (value.get("address") or "").strip()
    message = None
    if page and address:
        message = _("Choose a page or type an address, not both.")
    elif not page and not address:
        message = _("Choose a page or type an address.")
    elif address.startswith("//"):
        message = _("Start an address on this site with one /, and any other with https://.")
    elif address and not address.startswith(("/", "https://", "http://", "mailto:")):
        message = _("An address starts with /, https:// or mailto:.")
    if message:
        raise blocks.StructBlockValidationError(block_errors={"address": ValidationError(message)})
