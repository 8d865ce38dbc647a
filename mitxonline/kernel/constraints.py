"""The one place where a database constraint becomes a sentence.

A constraint's own `violation_error_message` comes first. For those without one, its app's config has the sentence in
`constraint_sentences`: by the constraint's name, or by the model's for rows that no one enters by hand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models
from django.db.models import BaseConstraint, ProtectedError, RestrictedError, UniqueConstraint
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mitxonline.kernel.deletion import name_protectors
from mitxonline.kernel.errors import DomainError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# PostgreSQL's “Key (slug)=(health) already exists.”
_KEY = re.compile(r"\((?P<columns>[^)]+)\)=")


class ConstraintViolated(DomainError):
    """The database refused what every check before had let pass, mostly because someone else was a moment earlier."""

    code = "constraint_violated"
    heading = gettext_lazy("Not saved")
    message = gettext_lazy("{sentence}")
    sentence: str


def describe_constraint(model: type[models.Model], constraint: BaseConstraint) -> str:
    """Say what it means that a constraint was violated. Empty if there is no sentence."""
    if constraint.violation_error_message != constraint.default_violation_error_message:
        return str(constraint.violation_error_message)
    sentences: dict[str, StrOrPromise] = getattr(model._meta.app_config, "constraint_sentences", {})
    return str(sentences.get(constraint.name) or sentences.get(str(model._meta.model_name), ""))


def describe_taken(model: type[models.Model], field_name: str) -> str:
    """Say that another row has the value of a unique field."""
    field: Any = model._meta.get_field(field_name)
    if field.error_messages["unique"] != models.Field.default_error_messages["unique"]:
        return str(field.error_messages["unique"])
    names = {"model": model._meta.verbose_name, "field": field.verbose_name}
    return _("Another %(model)s already has this %(field)s.") % names


def refusal_for(error: IntegrityError) -> ConstraintViolated | None:
    """Return the refusal for an error of the database; None if the constraint isn't one of ours."""
    if isinstance(error, ProtectedError | RestrictedError):
        users = ", ".join(name_protectors(error))
        return ConstraintViolated(sentence=_("This can’t be deleted because %(users)s use it.") % {"users": users})
    diagnosis = getattr(error.__cause__, "diag", None)
    model = (
        next((each for each in apps.get_models() if each._meta.db_table == diagnosis.table_name), None)
        if (diagnosis is not None)
        else None
    )
    if model is None or diagnosis is None:
        return None
    constraint = next((each for each in model._meta.constraints if each.name == diagnosis.constraint_name), None)
    sentence = describe_constraint(model, constraint) if constraint is not None else ""
    columns = _KEY.search(diagnosis.message_detail or "")
    if not sentence:  # a trigger's own, which stands for the same rule on tables of several apps
        sentence = _find_sentence(diagnosis.constraint_name)
    if not sentence and columns is not None:
        field = next((each for each in model._meta.fields if each.unique and each.column == columns["columns"]), None)
        sentence = describe_taken(model, field.name) if field is not None else ""
    return ConstraintViolated(sentence=sentence) if sentence else None


def _find_sentence(name: str | None) -> str:
    declared = (getattr(config, "constraint_sentences", {}) for config in apps.get_app_configs())
    return str(next((sentences[name] for sentences in declared if name in sentences), ""))


def find_collision(instance: models.Model, names: tuple[str, ...] | list[str]) -> models.Model | None:
    """Return the other row with the same values in these fields."""
    values = {name: getattr(instance, instance._meta.get_field(name).attname) for name in names}  # type: ignore[union-attr]
    if not values or None in values.values():
        return None
    found: models.Model | None = type(instance)._base_manager.filter(**values).exclude(pk=instance.pk).first()
    return found


def violated_constraints(
    instance: models.Model, exclude: set[str]
) -> list[tuple[BaseConstraint, str, models.Model | None]]:
    """Return each violated constraint of a row with its sentence, and the row it collides with if that is known."""
    violated = []
    for model, constraints in instance.get_constraints():
        for constraint in constraints:
            try:
                constraint.validate(model, instance, exclude=exclude)
            except ValidationError as error:
                sentence = describe_constraint(model, constraint) or " ".join(error.messages)
                is_unique = isinstance(constraint, UniqueConstraint)
                other = find_collision(instance, list(constraint.fields)) if is_unique else None  # type: ignore[attr-defined]
                violated.append((constraint, capfirst(sentence), other))
    return violated
