"""`configure_wagtail`: pages, address, brand and groups of the site."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from frontend.site.site_setup import configure
from mitxonline.kernel.console import OperatorCommand


class Command(OperatorCommand):
    """Make what the site lacks; leave what editors made of it."""

    help = "Makes the site's pages, sets its address from SITE_BASE_URL, makes its brand and groups. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what changed."""
        changes = configure(base_url=settings.SITE_BASE_URL)
        for sentence in changes or [_("Everything is in place; nothing was changed.")]:
            self.stdout.write(sentence)
