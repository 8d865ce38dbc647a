"""Why a row can't be deleted, before anyone tries."""

from __future__ import annotations

from django.db import models
from django.db.models import ProtectedError, RestrictedError
from django.db.models.deletion import Collector


def find_protectors(instance: models.Model) -> list[str]:
    """Return the names of the models, in the plural, whose rows keep this one from being deleted."""
    try:
        Collector(using="default").collect([instance])
    except (ProtectedError, RestrictedError) as error:
        return name_protectors(error)
    return []


def name_protectors(error: ProtectedError | RestrictedError) -> list[str]:
    found = error.protected_objects if isinstance(error, ProtectedError) else error.restricted_objects
    return sorted({str(each._meta.verbose_name_plural) for each in found})
