"""Storing what a site decides for its shop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from wagtail.models import Site

from ecommerce.models import ShopSettings
from ecommerce.models.shop_settings import CLIENTS
from ecommerce.models.shop_values import is_present, seal

SECRETS = tuple(CLIENTS.values())


@dataclass(frozen=True, slots=True)
class ShopChange:
    """A value before and after; a secret is described, not shown."""

    name: str
    before: str
    after: str


def change_shop(site: Site, values: Mapping[str, str | int | None]) -> list[ShopChange]:
    """Store these values of a site's shop, secrets as they are, and return what changed.

    What isn't given stays. An id without a value takes its secret along. Raises ValidationError, with the names of the
    values, and stores nothing then.
    """
    shop = ShopSettings.objects.select_for_update().filter(site=site).first() or ShopSettings(site=site)
    complete = dict(values)
    for client_id, secret in CLIENTS.items():
        if complete.get(client_id, getattr(shop, client_id)) == "" and secret not in complete:
            complete[secret] = ""
    changes = [_set(shop, name, value) for name, value in complete.items()]
    changed = [change for change in changes if change is not None]
    problems = _find_problems(shop)
    if problems:
        raise ValidationError(problems)
    if changed or shop.pk is None:
        shop.save()
    return changed


def find_value_problems(values: Mapping[str, str | int | None]) -> dict[str, list[str]]:
    """Return what is wrong with values of a shop whose site can’t be found or created, by their names."""
    shop = ShopSettings()
    for name, value in values.items():
        _set(shop, name, value)
    return _find_problems(shop)


def _set(shop: ShopSettings, name: str, value: str | int | None) -> ShopChange | None:
    stored = getattr(shop, name)
    if name in SECRETS:
        if is_present(stored, str(value)):
            return None
        setattr(shop, name, seal(str(value)))
        before, after = _describe_secret(stored), _describe_secret(getattr(shop, name))
        if not before and not after:
            return None
        return ShopChange(name, before, _("another one, not shown") if before and after else after)
    if stored == value:
        return None
    setattr(shop, name, value)
    return ShopChange(name, _describe(stored), _describe(value))


def _describe_secret(stored: str) -> str:
    return _("set, not shown") if stored else ""


def _describe(value: str | int | None) -> str:
    return "" if value is None else str(value)


def _find_problems(shop: ShopSettings) -> dict[str, list[str]]:
    try:
        shop.full_clean(exclude=["site"])
    except ValidationError as error:
        return {name: [str(sentence) for sentence in sentences] for name, sentences in error.message_dict.items()}
    return {}
