"""The Wagtail admin: catalog, lists, brand."""

from wagtail import hooks
from wagtail.snippets.models import register_snippet

from cms.wagtail_hooks.catalog import CatalogGroup
from cms.wagtail_hooks.pages import CoursePageList, ProgramPageList

register_snippet(CatalogGroup)


@hooks.register("register_admin_viewset")
def register_course_pages() -> CoursePageList:
    """A list of the course pages beside the tree."""
    return CoursePageList("course_pages")


@hooks.register("register_admin_viewset")
def register_program_pages() -> ProgramPageList:
    """A list of the program pages beside the tree."""
    return ProgramPageList("program_pages")
