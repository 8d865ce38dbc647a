"""Where a page leads to a course. Prices and dates are never typed: the templates ask the shop for them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from cms.blocks.text import SHORT_TEXT


def course_chooser(**options: Any) -> blocks.PageChooserBlock:
    """A chooser that offers course pages only."""
    return blocks.PageChooserBlock(page_type="cms.CoursePage", **options)


class EnrollPanelBlock(blocks.StructBlock):
    """Price, starts and the button for this visitor."""

    heading = blocks.CharBlock(label=_("Heading"), max_length=120, required=False)
    course = course_chooser(
        label=_("Course"), required=False, help_text=_("Empty on a course's own page: its own course.")
    )

    class Meta:
        icon = "tag"
        label = _("Price and enroll panel")
        template = "cms/blocks/enroll_panel.html"
        description = _("The price, the next starts and the right button, always up to date.")


class FeaturedCoursesBlock(blocks.StructBlock):
    """Courses an editor picked, as cards."""

    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("Courses to start with"))
    courses = blocks.ListBlock(course_chooser(), label=_("Courses"), min_num=1, max_num=8)

    class Meta:
        icon = "pick"
        label = _("Featured courses")
        template = "cms/blocks/featured_courses.html"
        description = _("Course cards in the order you choose. Courses that aren't public are left out.")


class ContactBlock(blocks.StructBlock):
    """The way to a person. The address is the brand's, so that it is right everywhere."""

    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("Talk to us"))
    text = blocks.TextBlock(label=_("Text"), max_length=300, rows=2, required=False)
    label = blocks.CharBlock(label=_("Words on the button"), max_length=40, default=_("Write to us"))

    class Meta:
        icon = "mail"
        label = _("Contact")
        template = "cms/blocks/contact.html"
        description = _("A button that opens a mail to the support address of the brand.")


class CallToActionBlock(blocks.StructBlock):
    """One thing to do next."""

    heading = blocks.CharBlock(label=_("Heading"), max_length=120)
    text = blocks.RichTextBlock(label=_("Text"), features=SHORT_TEXT, required=False)
    label = blocks.CharBlock(label=_("Words on the button"), max_length=40)
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
        """Ask for exactly one target, and for one a browser may follow."""
        cleaned = super().clean(value)
        refuse_unless_one_target(cleaned)
        return cleaned


def refuse_unless_one_target(value: Any) -> None:
    """Raise unless either a page or an address is given, and the address is one of ours, the web's or a inbox."""
    page, address = value.get("page"), (value.get("address") or "").strip()
    if bool(page) == bool(address):
        message = _("Choose a page or type an address, not both.") if page else _("Choose a page or type an address.")
        raise blocks.StructBlockValidationError(block_errors={"address": ValidationError(message)})
    if address and not address.startswith(("/", "https://", "http://", "mailto:")):
        raise blocks.StructBlockValidationError(
            block_errors={"address": ValidationError(_("An address begins with /, https:// or mailto:."))}
        )
    if address.startswith("//"):
        raise blocks.StructBlockValidationError(
            block_errors={"address": ValidationError(_("An address here begins with one /, elsewhere with https://."))}
        )
