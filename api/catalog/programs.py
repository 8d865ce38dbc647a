"""Programs as answers have them, in constant queries for any number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpRequest

from api.catalog import schemas
from api.catalog.drawing import draw_program_alone, draw_program_v1, draw_program_v2
from api.catalog.reading import CourseFacts, read_courses, read_program_pages, read_program_products
from cms.models import ProgramPage
from cms.selectors.collections import collections_of_programs
from courses.models import Program
from courses.selectors.programs import RequirementNode, courses_under, requirements_trees
from ecommerce.models import Product
from mitxonline.kernel import clock


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """What belongs to a program: its requirements, the page if visitors can open it, products, and courses in order."""

    program: Program
    tree: Sequence[RequirementNode]
    page: ProgramPage | None
    products: Sequence[Product]
    courses: Sequence[CourseFacts]
    collections: Sequence[int]


def read_programs(programs: Sequence[Program]) -> list[ProgramFacts]:
    """Read what belongs to these programs, whose departments are loaded: eleven queries for any number."""
    if not programs:
        return []
    ids = [each.pk for each in programs]
    trees, pages, products = requirements_trees(ids), read_program_pages(ids), read_program_products(ids)
    collections = collections_of_programs(ids)
    courses = {course.pk: course for tree in trees.values() for node in tree for course in courses_under(node)}
    facts: Mapping[int, CourseFacts] = {
        each.course.pk: each for each in read_courses(list(courses.values()), now=clock.now())
    }
    return [
        ProgramFacts(
            program=program,
            tree=trees[program.pk],
            page=pages.get(program.pk),
            products=products[program.pk],
            courses=[facts[course.pk] for node in trees[program.pk] for course in courses_under(node)],
            collections=collections.get(program.pk, ()),
        )
        for program in programs
    ]


def draw_v1(request: HttpRequest, facts: ProgramFacts) -> schemas.V1Program:
    """A program with those of its courses that visitors find."""
    courses = [each for each in facts.courses if each.page]
    return draw_program_v1(request, facts.program, facts.page, facts.tree, facts.products, courses, now=clock.now())


def draw_v2(request: HttpRequest, facts: ProgramFacts) -> schemas.V2ProgramDetail:
    return draw_program_v2(
        request, facts.program, facts.page, facts.tree, facts.products, facts.courses, collections=facts.collections
    )


def draw_alone(request: HttpRequest, facts: ProgramFacts) -> schemas.V2Program:
    return draw_program_alone(
        request, facts.program, facts.page, facts.tree, facts.products, facts.courses, collections=facts.collections
    )
