"""Blocks of the home page. Most of them are filled from the catalog."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from cms.blocks.commerce import validate_target


class DepartmentsBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120, required=False)

    class Meta:
        icon = "table"
        label = _("Departments")
        template = "cms/blocks/departments.html"
        description = _("A tile for each department that has courses. Filled automatically.")


class StartingSoonBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("Starting soon"))
    how_many = blocks.IntegerBlock(label=_("How many"), min_value=1, max_value=12, default=4)

    class Meta:
        icon = "calendar-alt"
        label = _("Starting soon")
        template = "cms/blocks/starting_soon.html"
        description = _("The courses that start next. Filled automatically.")


class ProgramsBlock(blocks.StructBlock):
    heading = blocks.CharBlock(
        label=_("Heading"), max_length=120, default=_("Programs: courses that build on each other")
    )
    programs = blocks.ListBlock(
        blocks.PageChooserBlock(page_type="cms.ProgramPage"),
        label=_("Programs"),
        min_num=0,
        max_num=6,
        default=[],
        help_text=_("Leave empty to show the first two."),
    )

    class Meta:
        icon = "list-ul"
        label = _("Programs")
        template = "cms/blocks/programs.html"
        description = _("Program cards with courses and prices.")


class ExampleSeats(blocks.StructValue):
    """The seats of the example contract."""

    @property
    def taken(self) -> int:
        return int(self.get("joined") or 0) + int(self.get("in_checkout") or 0)

    @property
    def free(self) -> int:
        return max(0, int(self.get("seats") or 0) - self.taken - int(self.get("invited") or 0))


class OrganizationsBandBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("Buy seats for your people"))
    text = blocks.TextBlock(label=_("Text"), max_length=400, rows=3)
    label = blocks.CharBlock(label=_("Button text"), max_length=40, default=_("Talk to us about seats"))
    page = blocks.PageChooserBlock(label=_("Page"), required=False)
    address = blocks.CharBlock(label=_("Or an address"), max_length=500, required=False)
    example = blocks.CharBlock(label=_("Organization in the example"), max_length=80, default="Northgate Health")
    seats = blocks.IntegerBlock(label=_("Seats in the example"), min_value=1, default=200)
    joined = blocks.IntegerBlock(label=_("Joined"), min_value=0, default=128)
    in_checkout = blocks.IntegerBlock(label=_("In checkout"), min_value=0, default=3)
    invited = blocks.IntegerBlock(label=_("Invited"), min_value=0, default=22)

    class Meta:
        icon = "group"
        label = _("Band for organizations")
        template = "cms/blocks/organizations_band.html"
        value_class = ExampleSeats
        description = _("A band for organizations, with an example of a contract’s seats.")

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        validate_target(cleaned)
        if cleaned["joined"] + cleaned["in_checkout"] + cleaned["invited"] > cleaned["seats"]:
            raise blocks.StructBlockValidationError(
                block_errors={"seats": ValidationError(_("The example has fewer seats than people. Raise the seats."))}
            )
        return cleaned
