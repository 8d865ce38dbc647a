"""What an error's message may say to staff, and what it may not."""

import pytest

from mitxonline.logs import scrub

KEY = "sk_live_51HqLyjWDarjtT1zdp7dc"


@pytest.mark.parametrize(
    ("message", "secret"),
    [
        ("ada@example.org is not there", "ada@example.org"),
        ("401 for https://x.example/api?access_token=abc123&page=2", "abc123"),
        ("401 for https://x.example/api?code=SAVE20", "SAVE20"),
        ("cannot connect to amqp://shop:hunter2@broker:5672//", "hunter2"),
        ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
        ("sent Bearer eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN", "eyJhbGciOiJIUzI1NiJ9"),
        ("{'client_secret': 'hunter2', 'grant_type': 'client_credentials'}", "hunter2"),
        ("password=hunter2 for user shop", "hunter2"),
        (f"No such API key: {KEY}", KEY),
        ("Code WELCOME10 has been used", "WELCOME10"),
        ("the code “Spring-Sale” is over", "Spring-Sale"),
        ("b81d4e02-6c55-47aa-9f13-0d2e7c9916aa is used", "b81d4e02"),
        ("card 4242 4242 4242 4242 was declined", "4242 4242"),
        ("call +1 617 555 0123 12", "555 0123"),
        ('duplicate key value\nDETAIL: Key (name)=(Ada Lovelace) already exists.', "Lovelace"),
        ("GET /enrollmentcode/SAVE20/ failed", "SAVE20"),
        ("cookie: sessionid=4d8t2kq", "4d8t2kq"),
    ],
)  # fmt: skip
def test_a_secret_is_left_out(message: str, secret: str) -> None:
    assert secret not in scrub(message)


@pytest.mark.parametrize(
    "message",
    [
        "course-v1:MITx+6.00x+2027_T1 is closed for enrollment",
        "order 20260000123 has no line 7",
        "'order_number'",
        "HTTP 503: status code 503",
        "connection to server at 127.0.0.1, port 5432 failed: Connection refused",
        "Someone else is at it.",
        "invalid input syntax for type integer",
    ],
)
def test_what_explains_the_error_stays(message: str) -> None:
    assert scrub(message) == message


def test_a_message_is_one_short_line() -> None:
    assert scrub("\n first \n second") == "first"
    assert len(scrub("word " * 100)) == 200
