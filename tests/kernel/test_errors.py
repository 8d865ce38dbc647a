from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from mitxonline.kernel.errors import DomainError, Forbidden, NotFound, RateLimited
from mitxonline.kernel.money import Money


class SeatsTaken(DomainError):
    code = "seats_taken"
    heading = _("All seats are taken")
    message = ngettext_lazy("{seats} seat is taken until {until}.", "{seats} seats are taken until {until}.", "seats")
    advice = _("Ask {people}.")
    exposes = ("seats", "until", "price", "people")
    seats: int
    until: date
    people: tuple[object, ...] = ()
    price: Money = Money(49, "USD")


class Agreed(DomainError):
    message = _("Yes")


class CodeGone(DomainError):
    heading = _("This code is no longer active")
    advice = _("Ask {organization} for a new one.")
    organization: str


def test_a_refusal_has_a_code_a_sentence_and_data() -> None:
    refusal = SeatsTaken(seats=5, until=date(2026, 6, 30), people=("Ada", None, Decimal("1.5"), {"seat": 1}))
    assert (refusal.code, refusal.status) == ("seats_taken", 409)
    assert refusal.heading_text == "All seats are taken"
    assert refusal.data() == {
        "seats": 5,
        "until": "2026-06-30",
        "price": "49.00 USD",
        "people": ["Ada", None, "1.5", {"seat": 1}],
    }


def test_places_are_filled_from_fields_with_days_lists_and_plurals_in_words() -> None:
    refusal = SeatsTaken(seats=5, until=datetime(2026, 6, 30, 12, tzinfo=UTC), people=("Ada", "Bob"))
    assert str(refusal) == refusal.body_text == "5 seats are taken until 30 June 2026. Ask Ada, Bob."
    assert str(SeatsTaken(seats=1, until=date(2026, 6, 30), people=("Ada",))).startswith("1 seat is taken")


def test_braces_in_a_value_are_not_places() -> None:
    assert "Ask {seats}." in str(SeatsTaken(seats=5, until=date(2026, 6, 30), people=("{seats}",)))


def test_without_a_message_the_heading_begins_the_sentence() -> None:
    refusal = CodeGone(organization="Northgate")
    assert str(refusal) == "This code is no longer active. Ask Northgate for a new one."
    assert refusal.body_text == "Ask Northgate for a new one."


def test_a_missing_or_misspelled_field_is_an_error_where_the_refusal_is_raised() -> None:
    with pytest.raises(TypeError, match="organization"):
        CodeGone()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="organisation"):
        CodeGone(organization="Northgate", organisation="Northgate")  # type: ignore[call-arg]


def test_the_sentence_is_in_the_language_of_its_reader() -> None:
    refusal = Agreed()
    with translation.override("de"):
        assert str(refusal) == "Ja"
    with translation.override("en"):
        assert str(refusal) == "Yes"


def test_the_common_refusals_have_their_own_words() -> None:
    assert (NotFound().status, Forbidden().status) == (404, 403)
    assert str(NotFound()) == "There is nothing here, or it isn’t yours to see."
    assert Forbidden().heading_text == "You don’t have access"


def test_a_limit_says_how_long_to_wait() -> None:
    refusal = RateLimited(retry_after=421)
    assert str(refusal) == "Too many attempts. Wait 8 minutes, then try again."
    assert (refusal.status, refusal.data()) == (429, {"retry_after": 421})
    assert "1 minute," in str(RateLimited(retry_after=3))
