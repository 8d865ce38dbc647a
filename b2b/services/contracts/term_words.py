"""Terms in words, for plans, commands and the contract's log."""

from __future__ import annotations

from datetime import date

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from b2b.enums import IntegrationType
from b2b.models import ContractPage, ContractTerms

# The page's field whose label stands for a term.
TERMS = {
    "integration_type": "integration_type",
    "active": "active",
    "start": "contract_start",
    "end": "contract_end",
    "max_learners": "max_learners",
    "price": "enrollment_fixed_price",
    "currency": "currency",
    "codes_only_for_assignee": "codes_only_for_assignee",
}


def term_label(name: str) -> str:
    return str(ContractPage._meta.get_field(TERMS[name]).verbose_name)


def format_term(terms: ContractTerms, name: str) -> str:
    value = getattr(terms, name)
    if name == "integration_type":
        return str(IntegrationType(value).label)
    if name == "price":
        return terms.money.formatted() if value is not None else _("free")
    if name == "max_learners":
        return number_format(value, force_grouping=True) if value is not None else _("no limit")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value is None:
        return _("none")
    return date_format(value, "DATE_FORMAT") if isinstance(value, date) else str(value)
