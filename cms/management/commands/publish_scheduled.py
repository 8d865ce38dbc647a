"""`publish_scheduled`: Wagtail's command, which here goes on when a page can't be published."""

from __future__ import annotations

from typing import Any

from wagtail.management.commands.publish_scheduled import Command as WagtailsCommand

from cms.services.schedule import publish_due
from mitxonline.kernel import clock


class Command(WagtailsCommand):
    help = "Publish and unpublish what is due. `beat` does it every minute; safe to run at any time."

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dryrun"]:
            super().handle(*args, **options)
        else:
            publish_due(now=clock.now())
