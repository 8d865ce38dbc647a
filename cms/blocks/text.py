"""Blocks of text: paragraphs, testimonials, questions and answers."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

# Headings start at h3: h1 is the page's and h2 the block's. Pictures and videos have blocks of their own, which ask
# for the alternative text, title or transcript.
TEXT = ["h3", "h4", "bold", "italic", "link", "document-link", "ul", "ol"]
SHORT_TEXT = ["bold", "italic", "link", "document-link", "ul", "ol"]


class TextBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120, required=False)
    text = blocks.RichTextBlock(label=_("Text"), features=TEXT)

    class Meta:
        icon = "pilcrow"
        label = _("Text")
        template = "cms/blocks/text.html"
        description = _("Paragraphs, lists and smaller headings.")


class TestimonialBlock(blocks.StructBlock):
    quote = blocks.TextBlock(label=_("What they say"), max_length=500, rows=3)
    name = blocks.CharBlock(label=_("Name"), max_length=100)
    about = blocks.CharBlock(
        label=_("Who they are"), max_length=120, required=False, help_text=_("A role or a workplace.")
    )

    class Meta:
        icon = "openquote"
        label = _("Testimonial")


class TestimonialsBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("What learners say"))
    items = blocks.ListBlock(TestimonialBlock(), label=_("Testimonials"), min_num=1, max_num=6)

    class Meta:
        icon = "openquote"
        label = _("Testimonials")
        template = "cms/blocks/testimonials.html"
        description = _("Quotes from learners, with their names.")


class QuestionBlock(blocks.StructBlock):
    question = blocks.CharBlock(label=_("Question"), max_length=200)
    answer = blocks.RichTextBlock(label=_("Answer"), features=SHORT_TEXT)

    class Meta:
        icon = "help"
        label = _("Question")


class QuestionsBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("Heading"), max_length=120, default=_("Questions"))
    items = blocks.ListBlock(QuestionBlock(), label=_("Questions"), min_num=1, max_num=20)

    class Meta:
        icon = "help"
        label = _("Questions and answers")
        template = "cms/blocks/questions.html"
        description = _("Each question opens to show its answer.")
        anchor = "questions"
        tab = _("Questions")
