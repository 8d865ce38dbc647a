"""What web processes and workers check before they begin, because only manage.py runs Django's checks by itself."""

from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured


def refuse_wrong_routes() -> None:
    """Raise ImproperlyConfigured, with the lines to change, if the routes of events have mistakes."""
    mistakes = [str(each) for each in run_checks(tags=["coordinator"]) if each.is_serious() and not each.is_silenced()]
    if mistakes:
        raise ImproperlyConfigured("The routes of events have mistakes.\n" + "\n".join(mistakes))


def refuse_missing_static_files() -> None:
    """Raise ImproperlyConfigured if pages could name no style sheet, because no one collected the static files."""
    storage: object = staticfiles_storage
    if isinstance(storage, ManifestFilesMixin) and not storage.hashed_files:
        raise ImproperlyConfigured(
            "The static files aren’t collected, so every page would fail. "
            "Run “python manage.py collectstatic --no-input”, then start again."
        )
