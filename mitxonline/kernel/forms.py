"""Refusals shown on the form that was sent, instead of on a page of their own (docs/adr/0005)."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from django import forms

from mitxonline.kernel.errors import DomainError


class refusals_on:  # noqa: N801 - used like contextlib.suppress
    """Add a refusal raised in the block to the form’s errors; then the form is no longer valid.

        with refusals_on(form, "code"):
            apply_code(...)
        if not form.is_valid():
            return self.form_invalid(form)

    Without a field it is shown above the form. `only` names the refusals that belong there; others go on to the
    middleware. `describe` gives the text, where it isn’t the refusal’s own. Afterwards `refusal` is what was caught.
    """

    def __init__(
        self,
        form: forms.BaseForm,
        field: str | None = None,
        *,
        only: type[DomainError] | tuple[type[DomainError], ...] = DomainError,
        describe: Callable[[DomainError], str] = str,
    ) -> None:
        self.form = form
        self.field = field
        self.only = only
        self.describe = describe
        self.refusal: DomainError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(error, self.only):
            return False
        self.refusal = error
        self.form.add_error(self.field, forms.ValidationError(self.describe(error), code=error.code))
        return True
