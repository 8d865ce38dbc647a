"""The blocks that each kind of page offers."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from cms.blocks.commerce import CallToActionBlock, ContactBlock, EnrollPanelBlock, FeaturedCoursesBlock
from cms.blocks.home import DepartmentsBlock, OrganizationsBandBlock, ProgramsBlock, StartingSoonBlock
from cms.blocks.media import PictureBlock, VideoBlock
from cms.blocks.teaching import FacultyBlock, OutcomesBlock, SyllabusBlock
from cms.blocks.text import QuestionsBlock, TestimonialsBlock, TextBlock

WORDS = _("Text and media")
TEACHING = _("Teaching")
SHOP = _("Courses and prices")


class ContentBlocks(blocks.StreamBlock):
    text = TextBlock(group=WORDS)
    questions = QuestionsBlock(group=WORDS)
    testimonials = TestimonialsBlock(group=WORDS)
    picture = PictureBlock(group=WORDS)
    video = VideoBlock(group=WORDS)
    featured_courses = FeaturedCoursesBlock(group=SHOP)
    enroll_panel = EnrollPanelBlock(group=SHOP)
    call_to_action = CallToActionBlock(group=SHOP)
    contact = ContactBlock(group=WORDS)

    class Meta:
        max_num = 60


class CourseBlocks(ContentBlocks):
    """The blocks that the page's tabs lead to can be used once."""

    outcomes = OutcomesBlock(group=TEACHING)
    syllabus = SyllabusBlock(group=TEACHING)
    faculty = FacultyBlock(group=TEACHING)

    class Meta:
        block_counts = {
            "outcomes": {"max_num": 1},
            "syllabus": {"max_num": 1},
            "faculty": {"max_num": 1},
            "questions": {"max_num": 1},
        }


class ProgramBlocks(CourseBlocks):
    """The syllabus lists the program's courses."""


class HomeBlocks(ContentBlocks):
    departments = DepartmentsBlock(group=SHOP)
    starting_soon = StartingSoonBlock(group=SHOP)
    programs = ProgramsBlock(group=SHOP)
    organizations_band = OrganizationsBandBlock(group=SHOP)
