"""Columns that hold money."""

from __future__ import annotations

from typing import Any

from django.db import models


def amount_field(verbose_name: Any, **options: Any) -> models.DecimalField[Any, Any]:
    """A column for an amount; three digits after the point, so that every currency's minor units fit."""
    return models.DecimalField(verbose_name, max_digits=12, decimal_places=3, **options)


def currency_field(verbose_name: Any, **options: Any) -> models.CharField[Any, Any]:
    """A column for an ISO 4217 code."""
    return models.CharField(verbose_name, max_length=3, **options)
