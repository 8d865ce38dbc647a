"""`configure_wagtail`: create the site’s pages, brand and groups."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from frontend.site.site_setup import configure
from mitxonline.kernel.console import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Create the site’s pages, brand and groups where they are missing, and set its address from SITE_BASE_URL. "
        "Safe to run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        changes = configure(base_url=settings.SITE_BASE_URL)
        for sentence in changes or [_("Everything is already in place. Nothing was changed.")]:
            self.stdout.write(sentence)
