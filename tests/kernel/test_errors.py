from datetime import date
from decimal import Decimal

from django.utils import translation
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError, Forbidden, NotFound, RateLimited
from mitxonline.kernel.money import Money


class SeatsTaken(DomainError):
    code = "seats_taken"
    exposes = ("seats", "until", "price", "people")

    def __init__(self) -> None:
        self.seats = 5
        self.until = date(2026, 6, 30)
        self.price = Money(49, "USD")
        self.people = ("Ada", None, Decimal("1.5"), {"seat": 1})
        super().__init__("All 5 seats are taken.")


def test_a_refusal_has_a_code_a_sentence_and_data() -> None:
    refusal = SeatsTaken()
    assert (refusal.code, refusal.status, str(refusal)) == ("seats_taken", 409, "All 5 seats are taken.")
    assert refusal.data() == {
        "seats": 5,
        "until": "2026-06-30",
        "price": "49.00 USD",
        "people": ["Ada", None, "1.5", {"seat": 1}],
    }


def test_the_sentence_is_in_the_language_of_whoever_reads_it() -> None:
    refusal = DomainError(_("Yes"))
    with translation.override("de"):
        assert refusal.message == "Ja"
    with translation.override("en"):
        assert refusal.message == "Yes"


def test_the_common_refusals_can_stand_alone_and_be_told_more() -> None:
    assert (NotFound().status, Forbidden().status) == (404, 403)
    assert NotFound("No such course.").message == "No such course."
    assert NotFound().message


def test_a_limit_says_how_long_to_wait() -> None:
    refusal = RateLimited(421)
    assert refusal.message == "You have tried too often. Wait 8 minutes, then try again."
    assert (refusal.status, refusal.data()) == (429, {"retry_after": 421})
    assert "1 minute," in RateLimited(3).message
    assert RateLimited(3, "Wait a little.").message == "Wait a little."
