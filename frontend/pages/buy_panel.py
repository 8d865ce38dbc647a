"""The panel beside a course: its price, its next starts, and the button for this visitor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

from django.urls import reverse
from django.utils.translation import gettext as _

from b2b.selectors.seats import MemberContract, MemberRun, organizations_of
from courses.models import Course, Enrollment
from ecommerce.models import ShopSettings
from ecommerce.selectors.refund_window import refund_promise
from ecommerce.selectors.shop import shop_settings
from frontend.pages.awaited import AwaitedOrder, find_order_with_course
from frontend.pages.calendar_file import has_dates
from frontend.pages.cards import length_text, price_text, run_start_text, short_day, start_text
from frontend.pages.course_site import course_door
from frontend.pages.offers import CourseOffer, RunOffer, course_offers, short_price
from mitxonline.kernel.dates import format_day

BUY = "cart-add"
GROUP = "cart-group"
ENROLL = "enroll"
START = "dashboard-start"  # enrolls a member of a contract
ENTER_CODE = "enrollment-code-entry"
DASHBOARD = "dashboard"
CALENDAR = "run-calendar"

# So many starts the style sheet tells apart. Where there are more, each says its price and its refund.
CHOSEN_SHOWN = 12


class PanelState(StrEnum):
    BUY = "buy"
    FREE = "free"
    ENROLLED = "enrolled"
    OPENS = "opens"
    FULL = "full"
    CLOSED = "closed"
    MEMBER = "member"
    AWAITED = "awaited"


@dataclass(frozen=True, slots=True)
class StartChoice:
    """A start to choose, as a radio button: the form sends `name` and `value`.

    `start_text` is its start in short, `button_text` names its price, `refund_text` is empty if nothing is refunded.
    """

    name: str
    value: int
    title: str
    text: str
    price_text: str
    start_text: str = ""
    button_text: str = ""
    refund_text: str = ""
    calendar_url: str = ""
    checked: bool = False
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class BuyPanel:
    """What the panel shows.

    With `choices`, its form posts to `action_url`. `free_choices` are the free starts of a course that also has paid
    ones, and have a form of their own, to `free_action_url`. Without a form, `go_url` and `go_text` are the link in its
    place.

    Price, button, refund and start belong to the chosen start: `prices`, `buttons`, `refunds` and `starts` have a text
    for each choice, of which the style sheet shows one, or a single text where all choices agree.

    With `sells_seats` the form also buys for a group. Where it can't, because the course is the visitor's already,
    `group_url` leads to the page that does.
    """

    state: PanelState
    course: Course
    badge_text: str
    badge_kind: str
    price_text: str = ""
    price_note: str = ""
    start_text: str = ""
    length_text: str = ""
    choices: tuple[StartChoice, ...] = ()
    action_url: str = ""
    button_text: str = ""
    short_button_text: str = ""
    free_choices: tuple[StartChoice, ...] = ()
    go_url: str = ""
    go_text: str = ""
    sentence: str = ""
    calendar_url: str = ""
    offers_code: bool = True
    sells_seats: bool = False
    group_url: str = ""

    @property
    def free_action_url(self) -> str:
        return reverse(ENROLL)

    @property
    def code_url(self) -> str:
        return reverse(ENTER_CODE)

    @property
    def has_form(self) -> bool:
        return bool(self.action_url and self.choices)

    @property
    def shows_prices(self) -> bool:
        """Whether the starts cost different amounts, so that each says its price."""
        return len({choice.price_text for choice in (*self.choices, *self.free_choices)}) > 1

    @property
    def prices(self) -> tuple[str, ...]:
        return self._of_starts([choice.price_text for choice in self.choices], otherwise=self.price_text)

    @property
    def buttons(self) -> tuple[str, ...]:
        return self._of_starts([choice.button_text for choice in self.choices], otherwise=self.button_text)

    @property
    def refunds(self) -> tuple[str, ...]:
        return self._of_starts([choice.refund_text for choice in self.choices], otherwise="")

    @property
    def has_refund(self) -> bool:
        return any(self.refunds)

    @property
    def starts(self) -> tuple[str, ...]:
        return self._of_starts([choice.start_text for choice in self.choices], otherwise=self.start_text)

    def _of_starts(self, texts: list[str], *, otherwise: str) -> tuple[str, ...]:
        if len(set(texts)) == 1 and texts[0]:
            return (texts[0],)
        if not self.has_form or not any(texts) or len(texts) > CHOSEN_SHOWN:
            return (otherwise,)
        return tuple(texts)

    @property
    def has_calendars(self) -> bool:
        """Whether the chosen start can have dates to add to a calendar."""
        return self.has_form and len(self.choices) <= CHOSEN_SHOWN and any(each.calendar_url for each in self.choices)

    @property
    def only_choice(self) -> StartChoice | None:
        return self.choices[0] if len(self.choices) == 1 else None


def buy_panel(
    course: Course,
    *,
    user_id: int | None,
    now: datetime,
    support_email: str = "",
    offers: Mapping[int, CourseOffer] | None = None,
) -> BuyPanel:
    """The panel of a course for this visitor. One query, none if `offers` are given; some more if signed in."""
    offer = (offers or course_offers([course.pk], now=now))[course.pk]
    paid = [run for run in _sort_starts(offer.open_runs, now) if run.product_id is not None]
    panel = _panel_of_learner(course, user_id=user_id, now=now) if user_id is not None else None
    if panel is not None:
        return replace(panel, group_url=group_url(paid[0].product_id)) if paid else panel
    if not offer.is_open:
        return _panel_not_open(course, offer, support_email)
    return _panel_on_sale(course, offer) if paid else _panel_for_free(course, offer)


def group_url(product_id: int | None) -> str:
    """The page that sells seats of this product to a group."""
    return f"{reverse(GROUP)}?product_id={product_id}"


def seat_choices(course_id: int, *, chosen: int, now: datetime) -> tuple[StartChoice, ...]:
    """The starts of a course whose seats are sold; one query."""
    offer = course_offers([course_id], now=now)[course_id]
    paid = [run for run in offer.opened_runs if run.product_id is not None]
    listed = _list_choices(paid, offer, name="product_id")
    return tuple(replace(choice, checked=choice.value == chosen) for choice in listed)


def _panel_of_learner(course: Course, *, user_id: int, now: datetime) -> BuyPanel | None:
    """The panel of someone who has the course, is paying for it, or has it through a contract."""
    enrollment = current_enrollment(course.pk, user_id=user_id, now=now)
    if enrollment is not None:
        return _panel_for_enrolled(course, enrollment, now)
    awaited = find_order_with_course(course.pk, user_id=user_id)
    if awaited is not None:
        return _panel_for_awaited(course, awaited)
    member = _find_contract(course.pk, user_id=user_id, now=now)
    return _panel_for_member(course, *member) if member is not None else None


def current_enrollment(course_id: int, *, user_id: int, now: datetime) -> Enrollment | None:
    """The learner’s enrollment in the earliest run of the course that isn’t over."""
    enrollments = Enrollment.objects.active().of(user_id).filter(run__course_id=course_id).select_related("run", "user")
    return next((each for each in enrollments.order_by("run__start_date", "pk") if not each.run.has_ended(now)), None)


def _panel_on_sale(course: Course, offer: CourseOffer) -> BuyPanel:
    # A full start is listed too, so that no one wonders where it went.
    paid = [run for run in offer.opened_runs if run.product_id is not None]
    free = [run for run in offer.open_runs if run.product_id is None]
    return BuyPanel(
        state=PanelState.BUY,
        course=course,
        badge_text=_("Open for enrollment"),
        badge_kind="ok",
        price_text=price_text(offer),
        start_text=start_text(offer),
        length_text=length_text(course),
        choices=tuple(_list_choices(paid, offer, name="product_id")),
        action_url=reverse(BUY),
        button_text=_("Add to cart"),
        short_button_text=_("Enroll"),
        free_choices=tuple(_list_choices(free, offer, name="run")),
        sells_seats=True,
    )


def _panel_for_free(course: Course, offer: CourseOffer) -> BuyPanel:
    return BuyPanel(
        state=PanelState.FREE,
        course=course,
        badge_text=_("Open for enrollment"),
        badge_kind="ok",
        price_text=_("Free"),
        start_text=start_text(offer),
        length_text=length_text(course),
        choices=tuple(_list_choices(offer.opened_runs, offer, name="run")),
        action_url=reverse(ENROLL),
        button_text=_("Enroll for free"),
        short_button_text=_("Enroll"),
    )


def _panel_for_enrolled(course: Course, enrollment: Enrollment, now: datetime) -> BuyPanel:
    run = enrollment.run
    has_started = run.has_started(now)
    door = course_door(run, enrollment.lms_state, user=enrollment.user, now=now)
    start, sentence = "", _("You’re enrolled. You’ll find this course on your dashboard.")
    if not has_started and run.start_date is not None:
        day = format_day(run.start_date)
        start = _("Starts %(day)s") % {"day": day}
        sentence = _("You’re enrolled. The course starts on %(day)s.") % {"day": day}
    return BuyPanel(
        state=PanelState.ENROLLED,
        course=course,
        badge_text=_("Enrolled"),
        badge_kind="ok" if has_started else "info",
        start_text=start,
        length_text=length_text(course),
        sentence=_("You’re enrolled.") if door.is_open else f"{sentence} {door.sentence}".strip(),
        go_url=door.url if door.is_open else reverse(DASHBOARD),
        go_text=door.url_text if door.is_open else _("Go to dashboard"),
        calendar_url=calendar_url(run.pk, run.start_date, run.end_date, now=now),
        short_button_text=door.url_text if door.is_open else _("Go to dashboard"),
        offers_code=False,
    )


def _panel_for_awaited(course: Course, awaited: AwaitedOrder) -> BuyPanel:
    # No form: the learner must not pay for the course a second time.
    return BuyPanel(
        state=PanelState.AWAITED,
        course=course,
        badge_text=_("Being checked") if awaited.order.is_in_review else _("Being paid"),
        badge_kind="info",
        length_text=length_text(course),
        sentence=f"{awaited.title}. {awaited.sentence}",
        go_url=awaited.url,
        go_text=_("See that order"),
        short_button_text=_("See that order"),
        offers_code=False,
    )


def _panel_for_member(course: Course, organization: str, contract: MemberContract, run: MemberRun) -> BuyPanel:
    is_free = contract.terms.is_free
    product_id = run.contract_run.product_id
    name, value = ("contract_run", run.contract_run.pk) if is_free else ("product_id", product_id or 0)
    price = contract.price.formatted() if is_free else short_price(contract.price)
    end = contract.terms.end
    until = _("Until %(day)s") % {"day": format_day(end)} if end else _("At your own pace")
    return BuyPanel(
        state=PanelState.MEMBER,
        course=course,
        badge_text=_("Open for enrollment"),
        badge_kind="ok",
        price_text=price,
        price_note=_("Paid by %(organization)s") % {"organization": organization} if is_free else "",
        start_text=_("Start any time"),
        length_text=length_text(course),
        choices=(
            StartChoice(
                name=name,
                value=value,
                title=contract.name,
                text=until,
                price_text=price,
                checked=True,
            ),
        ),
        action_url=reverse(START if is_free else BUY),
        button_text=_("Enroll") if is_free else _("Enroll for %(price)s") % {"price": price},
        short_button_text=_("Enroll"),
        offers_code=False,
    )


def _panel_not_open(course: Course, offer: CourseOffer, support_email: str) -> BuyPanel:
    if offer.opens_at is not None and not offer.is_full:
        return BuyPanel(
            state=PanelState.OPENS,
            course=course,
            badge_text=_("Opens %(day)s") % {"day": short_day(offer.opens_at, offer.now)},
            badge_kind="info",
            price_text=price_text(offer),
            start_text=start_text(offer),
            length_text=length_text(course),
            sentence=_("Enrollment opens on %(day)s.") % {"day": format_day(offer.opens_at)},
            choices=tuple(_list_choices(offer.runs, offer, name="run")),
        )
    subject = quote(_("Next start of %(title)s") % {"title": course.title})
    panel = BuyPanel(
        state=PanelState.CLOSED,
        course=course,
        badge_text=_("Enrollment closed"),
        badge_kind="neutral",
        length_text=length_text(course),
        sentence=_("Enrollment is closed. The next start date isn’t set yet."),
        go_url=f"mailto:{support_email}?subject={subject}" if support_email else "",
        go_text=_("Notify me of the next start") if support_email else "",
    )
    if not offer.is_full:
        return panel
    return replace(
        panel,
        state=PanelState.FULL,
        badge_text=_("Full"),
        price_text=price_text(offer),
        start_text=start_text(offer),
        sentence=_("Every place is taken. If someone gives theirs up, you can enroll here."),
        choices=tuple(_list_choices(offer.runs, offer, name="run")),
    )


def _list_choices(runs: Iterable[RunOffer], offer: CourseOffer, *, name: str) -> Iterable[StartChoice]:
    ordered = _sort_starts(runs, offer.now)
    shop = shop_settings() if any(run.price is not None for run in ordered) else None
    chosen = next((run.run_id for run in ordered if run.is_open(offer.now)), None)
    for run in ordered:
        value = run.product_id if name == "product_id" and run.product_id is not None else run.run_id
        price = short_price(run.price) if run.price is not None else _("Free")
        refund = refund_text(run, now=offer.now, shop=shop) if shop is not None and run.is_open(offer.now) else ""
        note = _start_note(run, offer.now)
        yield StartChoice(
            name=name,
            value=value,
            title=_start_title(run, offer.now),
            text=f"{note} · {refund}" if refund and len(ordered) > CHOSEN_SHOWN else note,
            price_text=price,
            start_text=run_start_text(run, offer.now),
            button_text=_("Enroll for %(price)s") % {"price": price} if run.price is not None else _("Enroll for free"),
            refund_text=refund,
            calendar_url=calendar_url(run.run_id, run.starts_at, run.ends_at, now=offer.now),
            checked=run.run_id == chosen,
            disabled=not run.is_open(offer.now),
        )


def _sort_starts(runs: Iterable[RunOffer], now: datetime) -> list[RunOffer]:
    return sorted(runs, key=lambda run: (_start_rank(run, now), run.starts_at or now, run.run_id))


def _start_rank(run: RunOffer, now: datetime) -> int:
    # Dates to come, then “any time”, then runs that have started.
    if not run.has_date():
        return 1
    return 0 if run.starts_at is not None and run.starts_at > now else 2


def _start_title(run: RunOffer, now: datetime) -> str:
    if run.starts_at is None:
        return _("Start any time")
    day = format_day(run.starts_at)
    if run.self_paced:
        return _("Start from %(day)s") % {"day": day} if run.starts_at > now else _("Start any time")
    return day if run.starts_at > now else _("Started %(day)s") % {"day": day}


def _start_note(run: RunOffer, now: datetime) -> str:
    if run.opens_at is not None and run.opens_at > now:
        return _("Enrollment opens on %(day)s") % {"day": format_day(run.opens_at)}
    if run.is_full:
        return _("Full")
    how = _("At your own pace") if run.self_paced or run.starts_at is None else _("With an instructor")
    if run.ends_at is None:
        return how
    until = _("open until %(day)s") if run.self_paced else _("ends %(day)s")
    return f"{how} · {until % {'day': format_day(run.ends_at)}}"


def refund_text(run: RunOffer, *, now: datetime, shop: ShopSettings) -> str:
    """The last day of the refund period of a start that is bought now."""
    if run.price is None or run.price.is_zero:
        return ""
    return refund_promise([None if run.self_paced else run.starts_at], now=now, shop=shop)


def calendar_url(run_id: int, starts_at: datetime | None, ends_at: datetime | None, *, now: datetime) -> str:
    """The file with a run’s dates; empty if none is to come."""
    return reverse(CALENDAR, args=[run_id]) if has_dates(starts_at, ends_at, now=now) else ""


def _find_contract(course_id: int, *, user_id: int, now: datetime) -> tuple[str, MemberContract, MemberRun] | None:
    found = [
        (organization.organization.name, contract, run)
        for organization in organizations_of(user_id, now=now)
        for contract in organization.contracts
        if contract.is_member and contract.is_open
        for run in contract.runs
        if run.course.pk == course_id
        and not run.is_enrolled
        and (run.can_start or (run.is_open and not contract.terms.is_free))
    ]
    return min(found, key=lambda each: not each[1].terms.is_free, default=None)
