"""Courses, runs and programs as the API shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from django.http import HttpRequest
from django.utils.translation import ngettext

from api.catalog import schemas
from api.catalog.products import BaseProduct, ProductFlexibilePrice
from api.catalog.reading import CourseFacts
from api.catalog.variants import Language
from cms.models import CoursePage, ProgramPage
from cms.selectors.covers import cover_url
from courses.enums import RequirementKind
from courses.models import Course, CourseRun, Program
from courses.rules import is_enrollable
from courses.selectors.course_address import course_address
from courses.selectors.programs import RequirementNode, courses_under
from courses.selectors.run_dates import effort_text
from ecommerce.models import Product

_LANGUAGES = {code.casefold().replace("_", "-"): code for code in get_args(Language)} | {"zh-hans": "zh_HANS"}


def language_of(course: Course) -> Any:
    """Return the language's code as the API has it; empty for one it doesn't know."""
    return _LANGUAGES.get(course.language.casefold(), "")


def languages_like(code: str) -> list[str]:
    """Return the codes under which courses may be stored in this language."""
    return [code.casefold().replace("_", "-")]


def draw_run(run: CourseRun, facts: CourseFacts, *, now: datetime) -> schemas.BaseCourseRun:
    """A run without what it costs."""
    products = facts.products.get(run.pk, ())
    course = facts.course
    is_over = run.has_ended(now)
    return schemas.BaseCourseRun.model_construct(
        title=run.title,
        start_date=run.start_date,
        end_date=run.end_date,
        enrollment_start=run.enrollment_start,
        enrollment_end=run.enrollment_end,
        expiration_date=None,
        courseware_url=course_address(run.courseware_id) or None,
        courseware_id=run.courseware_id,
        certificate_available_date=run.certificate_available_date,
        upgrade_deadline=run.upgrade_deadline,
        is_upgradable=bool(products) and not is_over and (run.upgrade_deadline is None or run.upgrade_deadline > now),
        is_enrollable=is_enrollable(run, now=now),
        is_archived=is_over and is_enrollable(run, now=now),
        is_self_paced=run.is_self_paced,
        run_tag=run.run_tag,
        id=run.pk,
        live=run.live,
        course_number=course.number,
        enrollment_modes=_modes([run] if run.is_free else [], products),
        language=language_of(course),
        is_primary_language=True,
        language_label=course.get_language_display(),
        variant_industry="",
        variant_length="",
        course_id=course.pk,
    )


def draw_run_v1(run: CourseRun, facts: CourseFacts, *, now: datetime) -> schemas.V1BaseCourseRun:
    products = [
        ProductFlexibilePrice(**_product(each), product_flexible_price=None) for each in facts.products.get(run.pk, ())
    ]
    base = dict(draw_run(run, facts, now=now))
    return schemas.V1BaseCourseRun(**base, products=products, approved_flexible_price_exists=False)


def draw_run_v2(
    run: CourseRun, facts: CourseFacts, *, now: datetime, contract: int | None = None
) -> schemas.CourseRunV2:
    products = [BaseProduct(**_product(each)) for each in facts.products.get(run.pk, ())]
    base = dict(draw_run(run, facts, now=now))
    return schemas.CourseRunV2(**base, products=products, approved_flexible_price_exists=False, b2b_contract=contract)


def draw_course(request: HttpRequest, facts: CourseFacts) -> schemas.Course:
    """A course, as the first version has it."""
    course = facts.course
    return schemas.Course(
        id=course.pk,
        title=course.title,
        readable_id=course.readable_id,
        next_run_id=facts.next_run.pk if facts.next_run else None,
        departments=[schemas.Department(name=course.department.name)],
        page=_draw_page(request, facts, facts.page) if facts.page else _no_page(request, facts),
        programs=[
            schemas.Program(id=each.pk, title=each.title, readable_id=each.readable_id) for each in facts.programs
        ],
    )


def draw_course_v1(request: HttpRequest, facts: CourseFacts, *, now: datetime) -> schemas.V1CourseWithCourseRuns:
    runs = [draw_run_v1(run, facts, now=now) for run in facts.runs]
    return schemas.V1CourseWithCourseRuns(**dict(draw_course(request, facts)), courseruns=runs)


def draw_run_with_course(
    request: HttpRequest, run: CourseRun, facts: CourseFacts, *, now: datetime
) -> schemas.V1CourseRunWithCourse:
    return schemas.V1CourseRunWithCourse(**dict(draw_run_v1(run, facts, now=now)), course=draw_course(request, facts))


def draw_course_alone(request: HttpRequest, facts: CourseFacts) -> schemas.V2Course:
    """A course without its runs."""
    course, page, prices = facts.course, facts.page, [float(each.price) for each in facts.offered]
    return schemas.V2Course(
        id=course.pk,
        title=course.title,
        readable_id=course.readable_id,
        next_run_id=facts.next_run.pk if facts.next_run else None,
        departments=[schemas.Department(name=course.department.name)],
        page=_draw_page(request, facts, page) if page else None,
        programs=[draw_base_program(each) for each in facts.programs],
        topics=[schemas.TopicName(name=topic.name) for topic in course.topics.all()],
        certificate_type="",
        certificate_available=False,
        required_prerequisites=bool(page and page.prerequisites),
        duration=draw_length(course),
        min_weeks=course.duration_weeks,
        max_weeks=course.duration_weeks,
        min_price=min(prices, default=None),
        max_price=max(prices, default=None),
        time_commitment=effort_text(course) or None,
        availability=_availability([facts]),
        min_weekly_hours=_text(course.hours_per_week_min),
        max_weekly_hours=_text(course.hours_per_week_max),
        include_in_learn_catalog=page is not None,
        ingest_content_files_for_ai=False,
        possible_variant_sets=[],
    )


def draw_course_v2(
    request: HttpRequest, facts: CourseFacts, *, now: datetime, contracts: Mapping[int, int] | None = None
) -> schemas.CourseWithCourseRunsSerializerV2:
    runs = [draw_run_v2(run, facts, now=now, contract=(contracts or {}).get(run.pk)) for run in facts.runs]
    return schemas.CourseWithCourseRunsSerializerV2(**dict(draw_course_alone(request, facts)), courseruns=runs)


def draw_base_program(program: Program) -> schemas.BaseProgram:
    return schemas.BaseProgram(
        title=program.title, readable_id=program.readable_id, id=program.pk, type="program", display_mode=None
    )


def draw_program_page(
    request: HttpRequest, program: Program, page: ProgramPage | None, products: Sequence[Product]
) -> schemas.ProgramPage:
    """What a program's page says. Without `page`, what stands for one that visitors can't open."""
    price = products[0].price if products else None
    return schemas.ProgramPage(
        feature_image_src=_picture(request, page) if page else None,
        page_url=request.build_absolute_uri(f"/programs/{program.readable_id}/"),
        financial_assistance_form_url="",
        description=program.summary,
        live=page is not None and page.live,
        include_in_learn_catalog=True,
        length="",
        effort=None,
        price="" if price is None else str(price),
        list_price=price,
    )


def draw_program_v1(
    request: HttpRequest,
    program: Program,
    page: ProgramPage | None,
    tree: Sequence[RequirementNode],
    products: Sequence[Product],
    courses: Sequence[CourseFacts],
    *,
    now: datetime,
) -> schemas.V1Program:
    required, electives = _split(tree)
    return schemas.V1Program(
        title=program.title,
        readable_id=program.readable_id,
        id=program.pk,
        courses=[draw_course_v1(request, each, now=now) for each in courses],
        requirements=schemas.RequiredIds(
            required=[each.pk for each in required], electives=[each.pk for each in electives]
        ),
        req_tree=[_node_v1(node) for node in tree],
        page=draw_program_page(request, program, page, products),
        program_type=None,
        departments=[schemas.Department(name=program.department.name)],
        live=program.live,
        enrollment_modes=_modes([], products),
    )


def draw_program_alone(
    request: HttpRequest,
    program: Program,
    page: ProgramPage | None,
    tree: Sequence[RequirementNode],
    products: Sequence[Product],
    courses: Sequence[CourseFacts],
    *,
    collections: Sequence[int] = (),
) -> schemas.V2Program:
    """A program without its products."""
    required, electives = _split(tree)
    every = [*required, *electives]
    starts = sorted(run.start_date for each in courses for run in each.open_runs if run.start_date)
    topics = dict.fromkeys(topic.name for each in courses for topic in each.course.topics.all())
    prices = [float(each.price) for each in products]
    weeks = [course.duration_weeks for course in required]
    return schemas.V2Program(
        title=program.title,
        readable_id=program.readable_id,
        id=program.pk,
        courses=[course.pk for course in every],
        collections=list(collections),
        programs=[],
        requirements=schemas.Requirements(
            courses=schemas.RequiredCourses(required=_draw_names(required), electives=_draw_names(electives)),
            programs=schemas.RequiredCourses(required=[], electives=[]),
        ),
        req_tree=[_node_v2(node) for node in tree],
        page=draw_program_page(request, program, page, products) if page else None,
        program_type=None,
        certificate_type="",
        certificate_available=False,
        departments=[schemas.Department(name=program.department.name)],
        live=program.live,
        display_mode=None,
        topics=[schemas.TopicName(name=name) for name in topics],
        availability=_availability(courses),
        start_date=starts[0].isoformat() if starts else None,
        end_date=None,
        enrollment_start=None,
        enrollment_end=None,
        required_prerequisites=False,
        duration=None,
        min_weeks=sum(filter(None, weeks)) if weeks and all(weeks) and not electives else None,
        max_weeks=sum(filter(None, weeks)) if weeks and all(weeks) and not electives else None,
        min_price=min(prices, default=None),
        max_price=max(prices, default=None),
        time_commitment=None,
        min_weekly_hours=None,
        max_weekly_hours=None,
        enrollment_modes=_modes([], products),
    )


def draw_program_v2(
    request: HttpRequest,
    program: Program,
    page: ProgramPage | None,
    tree: Sequence[RequirementNode],
    products: Sequence[Product],
    courses: Sequence[CourseFacts],
    *,
    collections: Sequence[int] = (),
) -> schemas.V2ProgramDetail:
    alone = draw_program_alone(request, program, page, tree, products, courses, collections=collections)
    return schemas.V2ProgramDetail(**dict(alone), products=[BaseProduct(**_product(each)) for each in products])


def _product(product: Product) -> dict[str, Any]:
    return {
        "id": product.pk,
        "price": product.price,
        "description": product.description,
        "is_active": product.is_active,
    }


def _modes(free: Sequence[CourseRun], products: Iterable[Product]) -> list[schemas.EnrollmentMode]:
    audit = schemas.EnrollmentMode(mode_slug="audit", mode_display_name="Audit", requires_payment=False)
    paid = {product.mode: product.get_mode_display() for product in products}
    return ([audit] if free else []) + [
        schemas.EnrollmentMode(mode_slug=mode, mode_display_name=str(name), requires_payment=True)
        for mode, name in paid.items()
    ]


def _draw_page(request: HttpRequest, facts: CourseFacts, page: CoursePage) -> schemas.CoursePage:
    return _page(request, facts, picture=_picture(request, page), is_live=page.live, description=facts.course.summary)


def _no_page(request: HttpRequest, facts: CourseFacts) -> schemas.CoursePage:
    """What stands for the page of a course that a program needs and visitors can't open."""
    return _page(request, facts, picture=None, is_live=False, description=facts.course.summary)


def _page(
    request: HttpRequest, facts: CourseFacts, *, picture: str | None, is_live: bool, description: str
) -> schemas.CoursePage:
    course = facts.course
    return schemas.CoursePage(
        feature_image_src=picture,
        page_url=request.build_absolute_uri(f"/courses/{course.readable_id}/"),
        description=description,
        live=is_live,
        length=draw_length(course),
        effort=effort_text(course) or None,
        financial_assistance_form_url="",
        current_price=min((float(each.price) for each in facts.offered), default=None),
        instructors=[schemas.CourseInstructor(name=each.name, bio=each.about) for each in facts.instructors],
    )


def _picture(request: HttpRequest, page: CoursePage | ProgramPage) -> str | None:
    url = cover_url(page.card_image)
    return request.build_absolute_uri(url) if url else None


def draw_length(course: Course) -> str:
    """Return how long a course takes, in words, or an empty string if it is unknown."""
    weeks = course.duration_weeks
    return ngettext("%(count)d week", "%(count)d weeks", weeks) % {"count": weeks} if weeks else ""


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _availability(courses: Sequence[CourseFacts]) -> Literal["anytime", "dated"]:
    return "anytime" if any(run.is_self_paced for each in courses for run in each.open_runs) else "dated"


def _split(tree: Sequence[RequirementNode]) -> tuple[list[Course], list[Course]]:
    """Return what everyone needs, and what can be chosen."""
    required = [course for node in tree if not node.is_choice for course in courses_under(node)]
    return required, [course for node in tree if node.is_choice for course in courses_under(node)]


def _draw_names(courses: Sequence[Course]) -> list[schemas.RequiredCourse]:
    return [schemas.RequiredCourse(id=each.pk, readable_id=each.readable_id) for each in courses]


def _node_v1(node: RequirementNode) -> schemas.V1ProgramRequirement:
    requirement, is_course = node.requirement, node.course is not None
    return schemas.V1ProgramRequirement(
        id=requirement.pk,
        data=schemas.V1ProgramRequirementData(
            node_type="course" if is_course else "operator",
            course=str(node.course.pk) if node.course else None,
            required_program=None,
            program=str(requirement.program_id),
            title=requirement.title or None,
            operator=_operator(node),
            operator_value=_text(requirement.at_least),
            elective_flag=node.is_choice,
        ),
        children=[_node_v1(child) for child in node.children],
    )


def _node_v2(node: RequirementNode) -> schemas.V2ProgramRequirement:
    requirement = node.requirement
    return schemas.V2ProgramRequirement(
        id=requirement.pk,
        data=schemas.V2ProgramRequirementData(
            node_type="course" if node.course else "operator",
            course=node.course.pk if node.course else None,
            program=requirement.program_id,
            required_program=None,
            title=requirement.title or None,
            operator=_operator(node),
            operator_value=_text(requirement.at_least),
            elective_flag=node.is_choice,
        ),
        children=[_node_v2(child) for child in node.children],
    )


def _operator(node: RequirementNode) -> str | None:
    if node.requirement.kind == RequirementKind.COURSE:
        return None
    return "min_number_of" if node.is_choice else "all_of"
