"""`rebuild_search_index`: read every course and program page for the search anew."""

from __future__ import annotations

from typing import Any

from django.utils.translation import ngettext

from cms.services.search_index import rebuild_index
from mitxonline.kernel.console import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Read every course and program page for the search anew. Only needed after changes made in the database "
        "itself: pages, courses, programs, topics and instructors are read when they are saved, and all of them at "
        "night. Safe to run at any time."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        number = rebuild_index()
        self.stdout.write(
            ngettext("The search knows %(number)d page.", "The search knows %(number)d pages.", number)
            % {"number": number}
        )
