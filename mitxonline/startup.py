"""What web processes and workers check before they begin, because only manage.py runs Django's checks by itself."""

from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured


def refuse_wrong_routes() -> None:
    """Raise ImproperlyConfigured, with the lines to change, if the routes of events have mistakes."""
    mistakes = [str(each) for each in run_checks(tags=["coordinator"]) if each.is_serious() and not each.is_silenced()]
    if mistakes:
        raise ImproperlyConfigured("The routes of events have mistakes.\n" + "\n".join(mistakes))
