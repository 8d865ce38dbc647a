"""What the cart page shows, and the count in every page's header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cms.selectors.addresses import page_urls
from courses.selectors.run_dates import format_run_dates
from ecommerce.errors.checkout import CourseInProgram
from ecommerce.errors.codes import CodeUnknown
from ecommerce.models import DiscountCode, LineKey, ShopSettings
from ecommerce.selectors.basket_prices import PricedBasket, PricedLine, price_current_basket
from ecommerce.selectors.baskets import cart_note
from ecommerce.selectors.discount_text import off_text
from ecommerce.selectors.owner import basket_owner
from ecommerce.selectors.receipts import seats_text
from ecommerce.selectors.refund_window import begin_dates, refund_promise
from ecommerce.selectors.shop import shop_settings
from ecommerce.services.baskets.baskets import drop_needless_codes, remember_total, settle_shown_basket
from frontend.pages.awaited import AwaitedOrder, awaited_orders
from frontend.pages.code_form import CodeForm
from frontend.pages.links import order_url
from frontend.pages.pay_options import PayOption, list_pay_options
from frontend.pages.seats_form import GROUP, ME, SEATS_OFFERED, SeatsForm
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_moment
from mitxonline.kernel.errors import DomainError
from mitxonline.users.next_page import with_next


@dataclass(frozen=True, slots=True)
class CartSummary:
    """The cart as the header shows it, without a total if prices may have changed since."""

    count: int
    total_text: str = ""
    program_count: int = 0

    @property
    def count_text(self) -> str:
        return count_items(self.count, self.program_count)


def count_items(count: int, program_count: int) -> str:
    """“1 program”, “2 courses”, “1 course and 1 program”; `count` is how many there are in all."""
    course_count = count - program_count
    courses = ngettext("%(count)d course", "%(count)d courses", course_count) % {"count": course_count}
    programs = ngettext("%(count)d program", "%(count)d programs", program_count) % {"count": program_count}
    if course_count and program_count:
        return _("%(courses)s and %(programs)s") % {"courses": courses, "programs": programs}
    return programs if program_count else courses


def recount_summary(request: HttpRequest) -> CartSummary:
    """Price the cart again and remember its total. Only the cart page sets unavailable products aside."""
    now = clock.now()
    remember_total(price_current_basket(basket_owner(request), user_id=request.user.pk, now=now), now=now)
    return cart_summary(request)


def cart_summary(request: HttpRequest) -> CartSummary:
    """The visitor’s cart for the header: one query, none for visitors without a basket."""
    note = cart_note(basket_owner(request), now=clock.now())
    total = note.total.formatted() if note.total is not None else ""
    return CartSummary(count=note.count, total_text=total, program_count=note.program_count)


def describe_code_refusal(request: HttpRequest, refusal: DomainError) -> str:
    """The refusal’s text, with a link to the visitor’s own order if it names one, or to sign in and learn more."""
    if number := getattr(refusal, "number", ""):
        return format_html('{} <a href="{}">{}</a>', str(refusal), order_url(number), _("See that order"))
    if isinstance(refusal, CodeUnknown) and not request.user.is_authenticated:
        hint = format_html(
            _('If it’s right, <a href="{url}">sign in</a> and we’ll tell you more.'),
            url=with_next(reverse("login"), reverse("cart")),
        )
        return format_html("{} {}", str(refusal), hint)
    return str(refusal)


@dataclass(frozen=True, slots=True)
class StoppedCode:
    """A code on the cart that no longer works. ``number`` is the visitor’s own order that uses it."""

    code: DiscountCode
    reason: str
    number: str = ""


@dataclass(frozen=True)
class CartPage:
    """The cart as the visitor is shown it.

    ``needless_codes`` were taken off it, because the visitor has a seat. ``page_urls`` are the addresses of
    the courses and programs that have a page, by product; ``awaited`` the visitor’s orders that are being paid.
    ``seats_forms`` holds the form of a line whose number of seats wasn’t understood.
    """

    priced: PricedBasket
    now: datetime
    needless_codes: tuple[DiscountCode, ...] = ()
    page_urls: Mapping[int, str] = field(default_factory=dict)
    awaited: tuple[AwaitedOrder, ...] = ()
    seats_forms: Mapping[LineKey, SeatsForm] = field(default_factory=dict)
    pay_options: tuple[PayOption, ...] = ()

    @cached_property
    def shop(self) -> ShopSettings:
        return shop_settings()

    @property
    def lines(self) -> tuple[PricedLine, ...]:
        return self.priced.lines

    @property
    def aside(self) -> tuple[PricedLine, ...]:
        """Lines that aren’t bought now: saved for later, or unavailable. An order that is being paid names its own."""
        named = {key for each in self.awaited for key in each.order.line_keys}
        return tuple(
            line for line in self.priced.aside if not line.is_owned and not (line.is_awaited and line.key in named)
        )

    @property
    def owned(self) -> tuple[PricedLine, ...]:
        """Lines that the buyer has already. This page is the last to show them."""
        return tuple(line for line in self.priced.aside if line.is_owned)

    @property
    def set_aside_now(self) -> tuple[PricedLine, ...]:
        """Lines that were in the cart until now and have become unavailable."""
        return tuple(line for line in self.aside if not line.is_kept and not line.is_awaited)

    @property
    def is_all_refused(self) -> bool:
        """Whether nothing in the cart can be bought, so that it needs no sum."""
        return bool(self.lines) and all(
            line.refusal is not None and not line.is_twice and not line.start_is_closed for line in self.lines
        )

    @property
    def idle_codes(self) -> list[DiscountCode]:
        """Codes that work but don’t lower any price."""
        return [applied.code for applied in self.priced.codes if applied.is_idle]

    @property
    def seen(self) -> str:
        return self.priced.fingerprint

    @property
    def heading(self) -> str:
        return _("Ready to start") if self.is_ready else _("Your cart")

    @property
    def is_ready(self) -> bool:
        return self.priced.is_link and self.priced.can_check_out

    @property
    def is_free(self) -> bool:
        return self.priced.total.is_zero

    @property
    def has_codes(self) -> bool:
        return any(line.code is not None for line in self.lines)

    @property
    def code_could_help(self) -> bool:
        return any(line.code is None and not line.entitlement for line in self.lines)

    @property
    def waiting_for_code(self) -> PricedLine | None:
        return next((line for line in self.lines if line.needs_code and line.refusal is None), None)

    @property
    def provider(self) -> str:
        """The organization whose contract all lines belong to; empty unless there is exactly one."""
        providers = {line.provider for line in self.lines}
        return providers.pop() if len(providers) == 1 else ""

    @property
    def obstacles(self) -> list[str]:
        """Refusals of the cart as a whole; those of a line appear beside it."""
        on_lines = [line.refusal for line in self.lines if line.refusal is not None]
        if self.waiting_for_code is not None or not self.lines:  # an empty cart says so in its own place
            return []
        return [str(each) for each in self.priced.refusals if each not in on_lines]

    @property
    def has_refused_lines(self) -> bool:
        """Whether lines can’t be bought that no other message of the cart names."""
        return any(line.refusal is not None and not line.is_twice for line in self.lines)

    @property
    def has_closed_start(self) -> bool:
        return any(line.start_is_closed for line in self.lines)

    @property
    def count_text(self) -> str:
        """“1 course and 40 seats for a group”."""
        own = sum(not line.is_group for line in self.lines)
        if not (seat_count := sum(line.seats or 0 for line in self.lines)):
            return count_items(own, self.priced.program_count)
        seats = ngettext("%(count)d seat for a group", "%(count)d seats for a group", seat_count)
        seats %= {"count": seat_count}
        courses = count_items(own, self.priced.program_count)
        return _("%(courses)s and %(seats)s") % {"courses": courses, "seats": seats} if own else seats

    @property
    def other_count_text(self) -> str:
        return count_items(self.priced.other_basket_count, self.priced.other_program_count)

    @property
    def doubles(self) -> tuple[PricedLine, ...]:
        """Lines without which every course is in the cart once: the rule keeps what each of them stands beside."""
        return tuple(line for line in self.lines if line.is_twice)

    @property
    def doubles_text(self) -> str:
        """The one sentence about courses that are in the cart twice."""
        if len(self.doubles) == 1:
            return str(self.doubles[0].refusal)
        if self._doubled_program:
            return _("“%(program)s” is in your cart with %(count)d of its courses. You’d pay for those twice.") % {
                "program": self._doubled_program,
                "count": len(self.doubles),
            }
        return _("Some courses are in your cart twice.")

    @property
    def doubles_list(self) -> list[str]:
        """What would be removed; where the lines stand beside different ones, with what each is twice for."""
        return [line.title if self._doubled_program else str(line.refusal) for line in self.doubles]

    @property
    def _doubled_program(self) -> str:
        """The one program that all doubles are courses of; empty if there is no such."""
        refusals = [line.refusal for line in self.doubles]
        programs = {each.beside for each in refusals if isinstance(each, CourseInProgram)}
        is_one = len(programs) == 1 and all(isinstance(each, CourseInProgram) for each in refusals)
        return programs.pop() if is_one else ""

    @property
    def codes_that_stopped_working(self) -> list[StoppedCode]:
        """Codes that worked when they were applied, with the reason why they no longer do."""
        return [
            StoppedCode(applied.code, str(applied.refusal), number=getattr(applied.refusal, "number", ""))
            for applied in self.priced.codes
            if applied.refusal is not None
        ]

    @property
    def total_text(self) -> str:
        """What is to be paid, as a person reads it; a dash while a code or one currency is missing."""
        known = self.waiting_for_code is None and self.priced.has_one_currency
        return self.priced.total.formatted() if known else "–"

    @property
    def shows_discount(self) -> bool:
        """Whether something was taken off that had a price before; a contract's course never had one."""
        return self.waiting_for_code is None and not self.provider and not self.priced.discount_total.is_zero

    @property
    def expected_total(self) -> str:
        return str(self.priced.total)

    def seats_form(self, line: PricedLine) -> SeatsForm:
        """The form that says for whom a line is."""
        form = self.seats_forms.get(line.key)
        if form is None:
            form = SeatsForm(initial={"who": GROUP if line.is_group else ME, "seats": line.seats or SEATS_OFFERED})
        form.auto_id = f"seats-{line.product.pk}-{GROUP if line.is_group else ME}-%s"
        return form

    @property
    def bad_seats_form(self) -> SeatsForm | None:
        return next(iter(self.seats_forms.values()), None)

    @property
    def enrolls_and_gives_codes(self) -> bool:
        """Whether the buyer gets courses of their own and codes for a group."""
        return bool(self.priced.seat_count) and not self.priced.is_for_groups_only

    def code_form(self, form: CodeForm | None) -> CodeForm:
        """The form for a code, with the help that fits what is in the cart."""
        form = form or CodeForm()
        form["code"].help_text = self._code_help()
        return form

    def _code_help(self) -> str:
        if self.waiting_for_code is None:
            return ""
        return format_html(
            _("From {organization}’s invitation. It looks like {example}"),
            organization=self.waiting_for_code.provider or _("your organization"),
            example="7f3a90b1-6c55-47aa-…",
        )


def cart_page(request: HttpRequest, *, seats_forms: Mapping[LineKey, SeatsForm] | None = None) -> CartPage:
    """The visitor's current cart, as they are being shown it."""
    owner, user_id, now = basket_owner(request), request.user.pk, clock.now()
    priced = price_current_basket(owner, user_id=user_id, now=now)
    if needless := drop_needless_codes(priced):
        priced = price_current_basket(owner, user_id=user_id, now=now)
    settle_shown_basket(priced, now=now)
    lines = (*priced.lines, *priced.aside)
    has_awaited = not priced.lines or any(line.is_awaited for line in lines)
    return CartPage(
        priced=priced,
        now=now,
        needless_codes=tuple(needless),
        page_urls=page_urls(line.product for line in lines),
        awaited=awaited_orders(user_id) if has_awaited and user_id is not None else (),
        seats_forms=seats_forms or {},
        pay_options=list_pay_options(request, priced.total) if priced.can_check_out else (),
    )


def line_name(line: PricedLine, page: CartPage) -> str:
    """The title, with its start where the cart has another start of the same course, and with a group’s seats."""
    run = line.product.course_run
    same = {each.product.pk for each in (*page.lines, *page.aside) if each.title == line.title}
    dates = format_run_dates(run, page.now) if run is not None and len(same) > 1 else ""
    seats = ngettext("%(count)d seat", "%(count)d seats", line.seats) % {"count": line.seats} if line.seats else ""
    return " · ".join(part for part in (line.title, dates, seats) if part)


def line_refund(line: PricedLine, page: CartPage) -> str:
    """Until when a line is refunded if it is bought now; nothing where nothing is paid."""
    if line.needs_code or line.refusal is not None or line.due.is_zero:
        return ""
    runs = [each.run for each in line.program.courses] if line.is_program else [line.product.course_run]
    return refund_promise(begin_dates(runs), now=page.now, shop=page.shop)


def discount_sentence(line: PricedLine) -> str:
    """What lowers the price of a line and until when; nothing where nothing does, or a contract does."""
    offer = line.price.offer
    if offer is None or line.product.requires_code:
        return ""
    off = off_text(discount_type=offer.discount_type, amount=offer.amount, currency=offer.currency)
    values = {"name": offer.label, "off": off, "until": format_moment(offer.until) if offer.until else ""}
    if line.code is not None:
        return (_("%(off)s, until %(until)s") if offer.until else "%(off)s") % values
    return (_("%(name)s: %(off)s, until %(until)s") if offer.until else _("%(name)s: %(off)s")) % values


def line_seats(line: PricedLine) -> str:
    """“40 seats × $249.00”; nothing for a course that isn’t for a group."""
    return seats_text(line.seats, line.product.money)
