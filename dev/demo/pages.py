"""Pages and instructors of the demo."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from wagtail.models import Page

from cms.models import (
    CourseIndexPage,
    CoursePage,
    Instructor,
    ProductIndexPage,
    ProductPage,
    ProgramIndexPage,
    ProgramPage,
)
from courses.models import Course, Program
from dev.demo.pictures import DRAWINGS, ensure_picture
from dev.demo.specs import CourseSpec, ProgramSpec
from ecommerce.models import Product

Block = dict[str, Any]


def ensure_instructors(about: Mapping[str, str]) -> dict[str, Instructor]:
    """Return the instructors by name."""
    instructors = {person.name: person for person in Instructor.objects.filter(name__in=about)}
    for name, text in about.items():
        if name not in instructors:
            instructors[name] = Instructor.objects.create(name=name, about=text)
    return instructors


def ensure_course_page(spec: CourseSpec, course: Course, instructors: Mapping[str, Instructor]) -> None:
    if CoursePage.objects.filter(course=course).exists():
        return
    page = CoursePage(
        title=course.title,
        course=course,
        prerequisites=spec.needs,
        search_description=spec.summary,
        body=json.dumps(list(_course_blocks(spec, instructors))),
        live=False,
    )
    _publish(CourseIndexPage.objects.get(), page)


def ensure_program_page(spec: ProgramSpec, program: Program) -> None:
    if ProgramPage.objects.filter(program=program).exists():
        return
    blocks = [
        _outcomes(spec.outcomes),
        _text("Who it’s for", spec.about),
        *_questions(spec.questions),
    ]
    page = ProgramPage(
        title=program.title,
        program=program,
        search_description=spec.summary,
        body=json.dumps(blocks),
        live=False,
    )
    _publish(ProgramIndexPage.objects.get(), page)


def ensure_product_page(product: Product, *, slug: str, title: str, text: str) -> None:
    if ProductPage.objects.filter(product=product).exists():
        return
    page = ProductPage(title=title, slug=slug, product=product, body=json.dumps([_text("", text)]), live=False)
    _publish(ProductIndexPage.objects.get(), page)


def _publish(parent: Page, page: Page) -> None:
    parent.add_child(instance=page)
    page.save_revision(log_action=True).publish(log_action=True)


def _course_blocks(spec: CourseSpec, instructors: Mapping[str, Instructor]) -> Iterable[Block]:
    yield _outcomes(spec.outcomes)
    yield _block(
        "syllabus",
        heading="Syllabus",
        note=f"{spec.weeks} weeks · {spec.note}",
        parts=[{"when": when, "title": title, "text": _paragraph(text)} for when, title, text in spec.syllabus],
    )
    if spec.picture:
        yield _picture(spec.picture)
    yield _block("faculty", heading="Instructors", people=[instructors[name].pk for name in spec.instructors])
    if spec.testimonials:
        yield _block(
            "testimonials",
            heading="What learners say",
            items=[{"quote": quote, "name": name, "about": about} for quote, name, about in spec.testimonials],
        )
    yield from _questions(spec.questions)


def _outcomes(outcomes: Iterable[str]) -> Block:
    return _block("outcomes", heading="What you’ll be able to do", items=list(outcomes))


def _questions(questions: Iterable[tuple[str, str]]) -> Iterable[Block]:
    items = [{"question": question, "answer": _paragraph(answer)} for question, answer in questions]
    if items:
        yield _block("questions", heading="Questions", items=items)


def _text(heading: str, text: str) -> Block:
    return _block("text", heading=heading, text=_paragraph(text))


def _picture(name: str) -> Block:
    picture = {"image": ensure_picture(name).pk, "alt_text": DRAWINGS[name][1], "decorative": False}
    return _block("picture", picture=picture, caption="")


def _block(kind: str, **value: Any) -> Block:
    return {"type": kind, "value": value}


def _paragraph(text: str) -> str:
    return f"<p>{escape(text, quote=False)}</p>"
