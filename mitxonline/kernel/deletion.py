"""Why a row can't be deleted, before anyone tries."""

from __future__ import annotations

from django.db import models
from django.db.models import ProtectedError, RestrictedError
from django.db.models.deletion import Collector


def find_protectors(instance: models.Model) -> list[str]:
    """Return the names of the models, in the plural, whose rows keep this one from being deleted."""
    try:
        Collector(using="default").collect([instance])
    except ProtectedError as error:
        found = error.protected_objects
    except RestrictedError as error:
        found = error.restricted_objects
    else:
        return []
    return sorted({str(each._meta.verbose_name_plural) for each in found})
