"""`refresh_pages`: have all pages that visitors share drawn anew."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from mitxonline.kernel.console import OperatorCommand
from mitxonline.kernel.versions import advance_versions


class Command(OperatorCommand):
    help = (
        "Have all pages that visitors share drawn anew. Only needed after SQL that ran without triggers, such as a "
        "restore with --disable-triggers: all other changes show by themselves. Safe to run at any time."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        advance_versions()
        self.stdout.write(_("All pages are drawn anew when they are asked for next."))
