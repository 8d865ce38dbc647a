"""The pages, the brand and the instructors."""

from cms.models.brand import SiteBrand
from cms.models.catalog import CatalogPage
from cms.models.collection import ProgramCollection, ProgramCollectionItem
from cms.models.content_page import ContentPage
from cms.models.course_page import CourseIndexPage, CoursePage
from cms.models.home import HomePage
from cms.models.instructor import Instructor
from cms.models.menus import FooterLink, HeaderLink, SiteMenus
from cms.models.product_page import ProductIndexPage, ProductPage
from cms.models.program_page import ProgramIndexPage, ProgramPage
from cms.models.search import SearchDocument

__all__ = [
    "CatalogPage",
    "ContentPage",
    "CourseIndexPage",
    "CoursePage",
    "FooterLink",
    "HeaderLink",
    "HomePage",
    "Instructor",
    "ProductIndexPage",
    "ProductPage",
    "ProgramCollection",
    "ProgramCollectionItem",
    "ProgramIndexPage",
    "ProgramPage",
    "SearchDocument",
    "SiteBrand",
    "SiteMenus",
]
