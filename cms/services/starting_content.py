"""The texts of a new site. They are read once; from then on editors own the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

HERO_TITLE = _("Courses that fit together.")
HERO_TEXT = _(
    "Short, serious courses from people who do the work. Take one on its own, or put several together into a program."
)
BAND_TEXT = _(
    "Sign a contract, then e-mail codes or connect your single sign-on. "
    "See who has joined, who hasn’t, and how many seats are left."
)


@dataclass(frozen=True, slots=True)
class StartingPage:
    """A content page. ``link`` is the field of SiteBrand that links to it."""

    slug: str
    title: Any
    introduction: Any
    sections: tuple[tuple[Any, Any], ...]
    link: str = ""
    contact: Any = ""

    @property
    def body(self) -> list[dict[str, Any]]:
        """The raw data of the page's StreamField, which ends with a contact block if the page has a contact text."""
        blocks: list[dict[str, Any]] = [
            {"type": "text", "value": {"heading": str(heading), "text": str(text)}} for heading, text in self.sections
        ]
        if self.contact:
            contact = {"heading": str(_("Talk to us")), "text": str(self.contact), "label": str(_("Write to us"))}
            blocks.append({"type": "contact", "value": contact})
        return blocks


PAGES = (
    StartingPage(
        slug="about",
        title=_("About us"),
        introduction=_("We make short courses with people who do the work they teach."),
        sections=(
            (
                _("How our courses are made"),
                _(
                    "<p>Each course is written by someone who does the work for a living, together with an editor "
                    "who doesn’t. It ends with something you made yourself.</p>"
                ),
            ),
            (
                _("Courses that fit together"),
                _(
                    "<p>Every course stands on its own. Some of them build on each other: those are our programs. "
                    "A course you have taken counts for every program it belongs to.</p>"
                ),
            ),
        ),
    ),
    StartingPage(
        slug="help",
        title=_("Help"),
        introduction=_("The questions we hear most often. If yours isn’t among them, write to us."),
        sections=(
            (
                _("I have a code from my organization"),
                _(
                    "<p>Open the link in your invitation, or choose “Redeem a code” at the top of any page and enter "
                    "the code there. You’ll need an account; creating one takes a minute.</p>"
                ),
            ),
            (
                _("Where are my courses?"),
                _("<p>On your dashboard, once you sign in with the address you enrolled with.</p>"),
            ),
            (
                _("I can’t sign in"),
                _(
                    "<p>Use “Forgot your password?” on the sign-in page. If nothing arrives, check your spam "
                    "folder and make sure you used the same address as before.</p>"
                ),
            ),
            (
                _("I want a refund"),
                _('<p>Our <a href="/refunds/">refunds page</a> explains how to get one, and until when.</p>'),
            ),
        ),
        link="help_page",
        contact=_("We answer within two business days."),
    ),
    StartingPage(
        slug="for-organizations",
        title=_("For organizations"),
        introduction=_("Buy seats for your people and see who has taken them."),
        sections=(
            (
                _("One contract, as many courses as you need"),
                _(
                    "<p>A contract says which courses it covers, when it starts and ends, and how many people can "
                    "join. Anyone with a seat can take every course in the contract.</p>"
                ),
            ),
            (
                _("Hand out codes, or connect your sign-in"),
                _(
                    "<ul><li>By code: we give you enrollment codes, and you hand them out by e-mail or in a file.</li>"
                    "<li>By single sign-on: anyone who signs in through your organization can join.</li></ul>"
                ),
            ),
            (
                _("What you see, and what you don’t"),
                _(
                    "<p>You see who has joined and how many seats are left. You don’t see anyone’s grades: those "
                    "belong to the learner.</p>"
                ),
            ),
        ),
        link="organizations_page",
        contact=_("Tell us how many people and which courses."),
    ),
    StartingPage(
        slug="refunds",
        title=_("Refunds"),
        introduction=_("If a course isn’t what you hoped for, you can get a refund."),
        sections=(
            (
                _("How long you have"),
                _(
                    "<p>The course’s page and your receipt give the last day. For a course with a start date it’s "
                    "after the start, so you can try the first lessons. For a course you can start any time, the "
                    "period runs from the day you pay. A program counts from the first of its courses.</p>"
                ),
            ),
            (
                _("How to get one"),
                _(
                    '<p>Open the receipt under <a href="/orders/history/">Orders and receipts</a> and choose '
                    "“request a refund”. We refund the original payment method.</p>"
                ),
            ),
            (
                _("If your organization paid"),
                _("<p>Then there’s nothing to refund to you. Your organization can tell you more.</p>"),
            ),
        ),
        link="refunds_page",
        contact=_("Have your order number ready: it’s on your receipt."),
    ),
    StartingPage(
        slug="accessibility",
        title=_("Accessibility"),
        introduction=_("Everyone should be able to find a course, enroll and learn."),
        sections=(
            (
                _("What we aim for"),
                _(
                    "<p>These pages follow the Web Content Accessibility Guidelines 2.2, level AA. They work with "
                    "just a keyboard, with a screen reader, at 400% zoom and without scripts.</p>"
                ),
            ),
            (
                _("If something doesn’t work"),
                _("<p>Tell us which page it was and what you use. We answer within two business days.</p>"),
            ),
        ),
        link="accessibility_page",
        contact=_("Tell us which page it was and which browser or assistive technology you use."),
    ),
    StartingPage(
        slug="terms",
        title=_("Terms"),
        introduction=_("What you can expect from us, and we from you."),
        sections=(
            (
                _("Your account"),
                _("<p>An account belongs to one person. Keep your password to yourself.</p>"),
            ),
            (
                _("Enrolling"),
                _(
                    "<p>You’re enrolled once your order is complete. The price you see at checkout is the price you "
                    'pay. See our <a href="/refunds/">refunds page</a> for refunds.</p>'
                ),
            ),
            (
                _("Codes"),
                _("<p>A code works for anyone who has it, unless the organization that gave it says otherwise.</p>"),
            ),
            (
                _("Learning together"),
                _("<p>Be kind. Hand in your own work, and say so where you used someone else’s.</p>"),
            ),
        ),
        link="terms_page",
    ),
    StartingPage(
        slug="privacy",
        title=_("Privacy"),
        introduction=_("What we keep about you, and why."),
        sections=(
            (
                _("What we keep"),
                _(
                    "<ul><li>Your name and e-mail address, to identify you.</li><li>Your courses and orders, because "
                    "you need them and the law requires them.</li><li>A session cookie while you’re signed in or "
                    "have something in your cart.</li></ul>"
                ),
            ),
            (
                _("What we don’t do"),
                _("<p>We don’t show ads, track you across sites or sell your data.</p>"),
            ),
            (
                _("Your organization"),
                _("<p>If an organization paid for your seat, it can see that you joined, and nothing else.</p>"),
            ),
        ),
        link="privacy_page",
    ),
)


def home_body(organizations_page_id: int) -> list[dict[str, Any]]:
    """Return the raw data of the home page's StreamField."""
    band = {
        "heading": str(_("Buy seats for your people")),
        "text": str(BAND_TEXT),
        "label": str(_("Talk to us about seats")),
        "page": organizations_page_id,
        "address": "",
        "example": "Northgate Health",
        "seats": 200,
        "joined": 128,
        "in_checkout": 3,
        "invited": 22,
    }
    return [
        {"type": "departments", "value": {"heading": ""}},
        {"type": "starting_soon", "value": {"heading": str(_("Starting soon")), "how_many": 4}},
        {
            "type": "programs",
            "value": {"heading": str(_("Programs: courses that build on each other")), "programs": []},
        },
        {"type": "organizations_band", "value": band},
    ]
