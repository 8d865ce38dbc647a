"""What operations on pages answer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from api.catalog.schemas import V2Course, V2Program
from api.http.shapes import LEFT_OUT, DecimalText, Input, Omittable, Reply, Uri


class PageMeta(Reply):
    """What every page has."""

    type: str
    detail_url: Uri
    html_url: Uri
    slug: str
    show_in_menus: bool
    seo_title: str
    search_description: str
    first_published_at: datetime | None
    alias_of: str | None
    locale: str
    live: bool
    last_published_at: datetime | None


class Page(Reply):
    """A page."""

    id: int
    title: str
    meta: PageMeta


class PriceText(Reply):
    text: str
    link: str


class PriceItem(Reply):
    """A price, as visitors read it."""

    type: str
    value: PriceText
    id: UUID


class FeatureImage(Reply):
    """The picture at the top of a page."""

    title: str
    image_url: Uri
    height: int
    width: int


class Faculty(Reply):
    """Who teaches a course."""

    id: int
    instructor_name: str
    instructor_title: str
    instructor_bio_short: str
    instructor_bio_long: str
    feature_image_src: str | None


class OverrideValue(Reply):
    readable_id: str
    CEUs: DecimalText


class Override(Reply):
    type: str
    value: OverrideValue
    id: str


class SignatoryItem(Reply):
    name: str
    title_1: str
    title_2: str
    title_3: str
    organization: str
    signature_image: str


class CertificatePage(Page):
    """A certificate's page. None are issued here."""

    product_name: str
    CEUs: str
    overrides: list[Override]
    signatory_items: list[SignatoryItem]


class Topic(Reply):
    name: str
    parent: Omittable[str]


class HowYoullLearn(Reply):
    key: str
    icon: str
    title: str
    text: str


class SubjectPageItem(Page):
    """What pages of courses and programs have in common."""

    description: str
    length: str
    effort: str | None
    min_weekly_hours: str
    max_weekly_hours: str
    min_weeks: int | None
    max_weeks: int | None
    price: list[PriceItem]
    min_price: DecimalText | None
    max_price: DecimalText | None
    prerequisites: str | None
    faq_url: Uri | None
    about: str | None = Field(description="HTML.")
    what_you_learn: str | None = Field(description="HTML.")
    feature_image: FeatureImage | None
    video_url: Uri | None
    faculty_section_title: str | None
    faculty: list[Faculty]
    certificate_page: CertificatePage | None
    show_stay_updated: bool | None
    how_youll_learn: list[HowYoullLearn]


class CoursePageItem(SubjectPageItem):
    """A course's page."""

    course_details: V2Course
    topic_list: list[Topic]
    include_in_learn_catalog: bool | None
    ingest_content_files_for_ai: bool | None


class ProgramPageItem(SubjectPageItem):
    """A program's page."""

    program_details: V2Program


class PageListMeta(Reply):
    total_count: int


class PageList(Reply):
    """Pages."""

    meta: PageListMeta
    items: list[Page]


class CoursePageList(Reply):
    """Pages of courses."""

    meta: PageListMeta
    items: list[CoursePageItem]


class ProgramPageList(Reply):
    """Pages of programs."""

    meta: PageListMeta
    items: list[ProgramPageItem]


class PageFilters(Input):
    """Which pages to list, and what of them. The other parameters are those of Wagtail's API."""

    fields: str = Field(LEFT_OUT, description="Fields by name, separated by commas, or `*` for all.")
    type: str = Field(LEFT_OUT, description="cms.CoursePage, cms.ProgramPage or another type of page.")


class SubjectPageFilters(Input):
    """Which pages to list."""

    readable_id: str = Field(LEFT_OUT, description="The id of the course or program.")


class PageOptions(Input):
    """Only what is published can be read, so another revision isn't found."""

    revision_id: int = LEFT_OUT
