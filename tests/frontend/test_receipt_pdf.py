"""The receipt as a PDF: the page's facts in the page's typeface, in every script."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.db import connection, transaction
from django.test import Client
from PIL import ImageChops
from wagtail.models import Site

from ecommerce.events import OrderFulfilled
from ecommerce.models import Order, ShopSettings
from ecommerce.receivers import email_receipt
from frontend.drawing import receipt_pdf
from frontend.drawing.pdf_fonts import FALLBACKS, FONTS, find_fallbacks, printable
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import NOON, make_course, make_product, make_run
from tests.factories.orders import make_paid_order
from tests.frontend.conftest import make_northgate
from tests.support.pdf import fonts_of_pdf, picture_of_pdf, words_of_pdf
from tests.support.reading import read

pytestmark = pytest.mark.django_db

NAMES = {
    "Polish, Greek, Russian": "Łukasz Ελένη Дарья",
    "Vietnamese": "Nguyễn Thị Hồng",
    "Japanese": "山田太郎 たなか カナ",
    "Chinese": "欧阳娜娜 歐陽",
    "Korean": "김민준",
    "Arabic": "محمد عبدالله",
    "Persian": "پژمان گلچین",
    "Hebrew": "נועה כהן",
    "Thai": "สมชาย ใจดี",
    "Hindi": "क्षितिज शर्मा",
    "Bengali": "অমিত কলকাতা",
    "Tamil": "தமிழ்ச்செல்வி",
    "Khmer": "សុខា",
    "Burmese": "အောင်ဆန်း",
    "Amharic": "አማርኛ",
    "Georgian, Armenian": "ნინო Արամ",
}

# Letters that are drawn together have no text of their own in the file, so only the picture can be compared.
DRAWN_TOGETHER = {"Hindi", "Bengali", "Tamil", "Burmese"}


def pdf(client: Client, order: Order) -> bytes:
    response = client.get("/checkout/receipt/pdf/", {"order_number": order.number})
    assert response.status_code == 200
    return bytes(response.content)


@pytest.mark.parametrize("script", NAMES)
def test_every_script_is_printed_by_a_font_that_has_it(learners_client: Client, learner: User, script: str) -> None:
    learner.name = name = NAMES[script]
    learner.save()
    order = make_paid_order(make_product(), buyer=learner)
    assert printable(name) == name
    file = pdf(learners_client, order)
    text, _pages = words_of_pdf(file)
    for word in (
        () if script in DRAWN_TOGETHER else name.split()
    ):  # words of right-to-left scripts follow each other as they are seen
        assert word in text, text
    assert {font.partition("-")[0] for font in find_fallbacks(name)} <= {
        font.partition("-")[0].removesuffix("Bold") for font in fonts_of_pdf(file)
    }
    learner.name = "Amara"
    learner.save()
    assert ImageChops.difference(picture_of_pdf(file), picture_of_pdf(pdf(learners_client, order))).getbbox()


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("Zoë 🎓", "Zoë [mortar board]"),
        ("👩🏽‍🎓 Amara", "[woman mortar board] Amara"),
        ("❤️", "❤"),
        ("ᚠᚢᚦ", "[futh]"),
        ("བོད", "[bod]"),
        ("a\u202eb\x07c", "abc"),
        ("e\u0301", "é"),
    ],
)
def test_what_no_font_has_is_named_in_brackets(text: str, printed: str) -> None:
    assert printable(text) == printed


def test_every_font_is_there_with_its_license() -> None:
    license_text = (FONTS / "LICENSE.txt").read_text()
    for name in FALLBACKS:
        assert (FONTS / f"{name}.ttf").is_file()
    for family in ("Hanken Grotesk", "DejaVu", "Noto Sans", "Droid Sans Fallback"):
        assert family in license_text


def test_the_pdf_has_the_pages_typeface_and_mark(learners_client: Client, learner: User) -> None:
    file = pdf(learners_client, make_paid_order(make_product(), buyer=learner))
    assert fonts_of_pdf(file) == {"HankenGrotesk", "HankenGroteskBold"}
    picture = picture_of_pdf(file)
    left, top, side = 20 * 3, 20 * 3, 9.8 * 3  # the mark: three green tiles and a golden disc

    def color_at(x: float, y: float) -> tuple[int, ...]:
        return picture.getpixel((round(left + side * x), round(top + side * y)))  # type: ignore[return-value]

    assert color_at(0.3, 0.3) == color_at(0.7, 0.3) == color_at(0.3, 0.7) == (0, 105, 79)
    assert color_at(0.76, 0.76) == (255, 178, 36)
    assert color_at(0.03, 0.03) == (255, 255, 255)  # the corner is round


def name_seller() -> None:
    ShopSettings.objects.create(
        site=Site.objects.get(is_default_site=True),
        seller_name="Tessera Learning",
        seller_address="2 Mosaic Yard\nGalway, Ireland",
        seller_tax_id="VAT IE 0000000X",
    )


def order_with_everything(learner: User) -> Order:
    dated = make_run(
        make_course(title="Knots"), start_date=NOON + timedelta(days=30), end_date=NOON + timedelta(days=60)
    )
    any_time = make_run(make_course(title="Ropes"), is_self_paced=True)
    order = make_paid_order(make_product(dated), make_product(any_time, price="100"), buyer=learner, discount="10")
    order.lines.update(discount_label="SPRING10")
    return order


FACTS = (
    "1 April – 1 May 2026",
    "At your own pace",
    "$249.00",
    "−$10.00",
    "SPRING10",
    "$329.00",
    "Refund until 15 April 2026",
    "Refund until 16 March 2026",
    "Tessera Learning, 2 Mosaic Yard, Galway, Ireland · VAT IE 0000000X",
)


def test_page_file_and_e_mail_say_the_same(
    learners_client: Client, learner: User, mailoutbox: list[EmailMultiAlternatives], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitxonline.kernel.clock.now", lambda: NOON)
    name_seller()
    order = order_with_everything(learner)
    page = read(learners_client.get("/checkout/receipt/", {"order_number": order.number})).text
    text, _pages = words_of_pdf(pdf(learners_client, order))
    email_receipt(OrderFulfilled(order_id=order.pk, number=order.number, purchaser_id=learner.pk, at=NOON))
    (mail,) = mailoutbox
    html = " ".join(str(mail.alternatives[0][0]).split())
    for fact in FACTS:
        for place in (page, text, " ".join(str(mail.body).split()), html):
            assert fact in place, (fact, place)


def test_one_refund_date_is_said_once(
    learners_client: Client, learner: User, mailoutbox: list[EmailMultiAlternatives], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitxonline.kernel.clock.now", lambda: NOON)
    order = make_paid_order(make_product(), make_product(), buyer=learner)
    text, _pages = words_of_pdf(pdf(learners_client, order))
    email_receipt(OrderFulfilled(order_id=order.pk, number=order.number, purchaser_id=learner.pk, at=NOON))
    for place in (text, str(mailoutbox[0].body)):
        assert place.count("16 March 2026") == 1
        assert "Refunds until 16 March 2026." in place


@pytest.mark.parametrize("price", [None, "49"])
def test_the_organization_that_paid_is_named(
    learners_client: Client, learner: User, mailoutbox: list[EmailMultiAlternatives], price: str | None
) -> None:
    contract = make_northgate(price=price)
    learners_client.get(contract.link)
    learners_client.post("/cart/code/", {"code": contract.code})
    form = read(learners_client.get("/cart/")).select("form[action='/checkout/'] input[name]")
    response = learners_client.post("/checkout/", {str(field["name"]): str(field["value"]) for field in form})
    if price is not None:
        learners_client.post(response["Location"], {"answer": "accept"})
    order = Order.objects.get()
    assert order.lines.get().provider == "Northgate Health"
    assert order.total == Decimal(price or 0)
    email_receipt(OrderFulfilled(order_id=order.pk, number=order.number, purchaser_id=learner.pk, at=NOON))
    page = read(learners_client.get("/checkout/receipt/", {"order_number": order.number})).text
    text, _pages = words_of_pdf(pdf(learners_client, order))
    for place in (page, text, str(mailoutbox[-1].body), str(mailoutbox[-1].alternatives[0][0])):
        assert ("Paid by Northgate Health" if price is None else "Northgate Health’s price") in place
        assert "Nothing to pay" not in place


def sent_receipts(mailoutbox: list[EmailMultiAlternatives], order: Order) -> list[Any]:
    email_receipt(OrderFulfilled(order_id=order.pk, purchaser_id=order.purchaser_id, number=order.number, at=NOON))
    return list(mailoutbox.pop().attachments)


def test_the_e_mail_carries_the_pdf_of_the_page(
    learners_client: Client, learner: User, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    learner.name = "山田太郎 محمد"
    learner.save()
    order = make_paid_order(make_product(), make_product(price="149.00"), buyer=learner)
    other = make_paid_order(make_product(price="1.00"))
    [(name, content, kind)] = sent_receipts(mailoutbox, order)
    assert (name, kind) == (f"{order.number}.pdf", "application/pdf")
    assert words_of_pdf(content)[0] == words_of_pdf(pdf(learners_client, order))[0]
    assert other.number not in words_of_pdf(content)[0]
    assert len(content) < 200_000


def test_the_e_mail_says_that_the_receipt_is_attached(mailoutbox: list[EmailMultiAlternatives]) -> None:
    order = make_paid_order(make_product(), make_product())
    email_receipt(OrderFulfilled(order_id=order.pk, purchaser_id=order.purchaser_id, number=order.number, at=NOON))
    [message] = mailoutbox
    assert "The receipt is attached as a PDF." in message.body
    assert "The receipt is attached as a PDF." in str(message.alternatives[0][0])


def test_a_receipt_that_cannot_be_drawn_is_sent_without_its_file(
    mailoutbox: list[EmailMultiAlternatives], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    calls = []

    def fail(_data: object) -> bytes:
        calls.append(1)
        raise ValueError

    monkeypatch.setattr("frontend.drawing.receipt_pdf.mailed_receipt_pdf", fail)
    order = make_paid_order(make_product())
    assert sent_receipts(mailoutbox, order) == []
    assert calls == [1]


@pytest.mark.django_db(transaction=True)
def test_it_is_drawn_once_for_each_e_mail_and_outside_any_transaction(
    mailoutbox: list[EmailMultiAlternatives], monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = []
    draw = receipt_pdf.receipt_pdf

    def watch(*args: Any, **kwargs: Any) -> bytes:
        moments.append(connection.in_atomic_block)
        return draw(*args, **kwargs)

    monkeypatch.setattr(receipt_pdf, "receipt_pdf", watch)
    order = make_paid_order(make_product(), make_product())
    with transaction.atomic():
        publish(OrderFulfilled(order_id=order.pk, purchaser_id=order.purchaser_id, number=order.number, at=NOON))
        assert moments == []
    for pk in Delivery.objects.filter(handler="ecommerce.receivers.email_receipt").values_list("pk", flat=True):
        run_delivery(delivery_id=pk, now=clock.now())
    assert moments == [False]
    assert [len(each.attachments) for each in mailoutbox] == [1]
