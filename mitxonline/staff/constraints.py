"""Forms that say what a constraint means, with a link to the row that is in the way."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, models, transaction
from django.forms.forms import DeclarativeFieldsMetaclass
from django.http import HttpResponse
from django.utils.html import format_html
from wagtail.admin.admin_url_finder import AdminURLFinder

from mitxonline.kernel.constraints import describe_taken, find_collision, refusal_for, violated_constraints


class ConstraintFormMixin(forms.BaseForm, metaclass=DeclarativeFieldsMetaclass):
    """For model forms. The link is there for those who may open the other row."""

    # Who reads the form.
    reader: Any = None

    def validate_unique(self) -> None:
        form = cast("Any", self)
        try:
            form.instance.validate_unique(exclude=form._get_validation_exclusions())
        except ValidationError as error:
            for name, problems in error.error_dict.items():
                for problem in problems:
                    self.add_error(None if name == NON_FIELD_ERRORS else name, self._explain_unique(problem))

    def _update_errors(self, errors: ValidationError) -> None:
        # Django validates constraints with the rest of the row, and their messages arrive without their names.
        form, parent = cast("Any", self), cast("Any", super())
        problems = getattr(errors, "error_dict", {})
        if NON_FIELD_ERRORS not in problems:
            parent._update_errors(errors)
            return
        exclude = form._get_validation_exclusions() | set(problems)
        violated = violated_constraints(form.instance, exclude)
        messages = {str(constraint.get_violation_error_message()) for constraint, _sentence, _other in violated}
        others = [each for each in problems[NON_FIELD_ERRORS] if not messages & set(each.messages)]
        rest = {name: each for name, each in problems.items() if name != NON_FIELD_ERRORS}
        if others:
            rest[NON_FIELD_ERRORS] = others
        if rest:
            parent._update_errors(ValidationError(rest))
        for constraint, sentence, other in violated:
            name = next((each for each in getattr(constraint, "fields", ()) if each in self.fields), None)
            self.add_error(name, self._link(sentence, other))

    def _explain_unique(self, problem: ValidationError) -> ValidationError:
        names = (problem.params or {}).get("unique_check", ())
        if len(names) != 1:
            return problem
        instance: models.Model = cast("Any", self).instance
        return self._link(describe_taken(type(instance), names[0]), find_collision(instance, names))

    def _link(self, sentence: str, other: models.Model | None) -> ValidationError:
        url = AdminURLFinder(self.reader).get_edit_url(other) if other is not None else None
        if url is None:
            return ValidationError(sentence, code="unique")
        return ValidationError(format_html('{} <a href="{}">{}</a>', sentence, url, other), code="unique")


class ConstraintViewMixin:
    """Shows on its form what the database refuses at the last moment, because someone else was faster."""

    def form_valid(self, form: Any) -> HttpResponse:
        parent, view = cast("Any", super()), cast("Any", self)
        try:
            with transaction.atomic():
                response: HttpResponse = parent.form_valid(form)
        except IntegrityError as error:
            refusal = refusal_for(error)
            if refusal is None:
                raise
            form.add_error(None, str(refusal))
            if hasattr(view, "is_valid"):  # Wagtail's views say above the form that it wasn't saved
                view.produced_error_message = view.get_error_message()
            response = view.form_invalid(form)
        return response
