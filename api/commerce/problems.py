"""Why a checkout fails, as the file's clients know it, and requests that a link of another site made."""

from __future__ import annotations

from django.http import HttpRequest

from api.commerce.schemas import ErrorEnum
from api.http.errors import CsrfMissing
from courses.errors import EnrollmentRefused
from ecommerce.errors.checkout import AlreadyEnrolled, BasketEmpty, CodeNeeded, CourseTwice
from ecommerce.errors.codes import CheckoutRefused, CodeRefused
from mitxonline.kernel.errors import DomainError

_NAMES: tuple[tuple[type[DomainError], ErrorEnum], ...] = (
    (BasketEmpty, ErrorEnum.BASKET_EMPTY),
    (AlreadyEnrolled, ErrorEnum.ENROLL_DUPLICATED),
    (CourseTwice, ErrorEnum.ENROLL_DUPLICATED),
    (CodeNeeded, ErrorEnum.B2B_ERROR_MISSING_ENROLLMENT_CODE),
    (CodeRefused, ErrorEnum.DISCOUNT_INVALID),
    (EnrollmentRefused, ErrorEnum.COURSE_NON_UPGRADABLE),
    (CheckoutRefused, ErrorEnum.B2B_INVALID_BASKET),
)


def name_problem(refusal: DomainError) -> ErrorEnum | None:
    """Return the name of a refusal of checkout; None for one that has none, such as too many attempts."""
    return next((name for kind, name in _NAMES if isinstance(refusal, kind)), None)


def refuse_link(request: HttpRequest) -> None:
    """Raise CsrfMissing where a link on another site led here: checkout is a GET, and places an order."""
    headers = request.headers
    if headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        raise CsrfMissing
