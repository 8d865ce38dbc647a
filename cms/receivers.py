"""What cms does when it hears of events."""

from cms.events import SearchTextsChanged
from cms.services.search_index import pages_about_programs, refresh_documents, refresh_soon
from courses.events import RequirementsChanged
from courses.models import Program


def refresh_search(event: SearchTextsChanged) -> None:
    """Read the pages anew."""
    refresh_documents(event.page_ids)


def refresh_program(event: RequirementsChanged) -> None:
    """Find a program by its new courses."""
    refresh_soon(pages_about_programs(Program.objects.filter(pk=event.program_id)))
