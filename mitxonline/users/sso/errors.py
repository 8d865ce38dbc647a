"""Why a sign-in through a provider fails, or why it isn’t connected with an account."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError, WayOn

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

_IF_THAT_FAILS = _("If that doesn’t help, write to us:")


class SignInRefused(DomainError):
    """A sign-in that failed; it has a page of its own. `provider` is the provider’s title.

    `contact` introduces the support address and appears only where there is one. With `is_ours` only an operator can
    fix it, so it is logged as an error.
    """

    code = "sign_in_refused"
    status = HTTPStatus.FORBIDDEN
    heading: ClassVar[StrOrPromise] = ""
    ways_on: ClassVar[tuple[WayOn, ...]] = (WayOn.TRY_AGAIN,)
    contact: ClassVar[StrOrPromise] = ""
    is_ours: ClassVar[bool] = False
    provider: str


class NoEmail(SignInRefused):
    code = "email_missing"
    heading = _("We need your e-mail address")
    message = _("{provider} didn’t give us your e-mail address.")
    advice = _("Add one to your profile there, or ask your {provider} administrator, then try again.")


class EmailUnverified(SignInRefused):
    """The same for an address with an account here and for one without: it doesn’t reveal whose account exists."""

    code = "email_unverified"
    heading = _("Your e-mail address isn’t confirmed")
    message = _("{provider} hasn’t confirmed that your e-mail address is yours, so we can’t tell which account is.")
    advice = _("Confirm it there, or ask your {provider} administrator, then try again.")
    ways_on = (WayOn.TRY_AGAIN, WayOn.OTHER_SIGN_IN)


class AccountOff(SignInRefused):
    code = "account_off"
    heading = _("Your account is switched off")
    message = _("{provider} knows you, but your account here has been switched off.")
    contact = _("If that’s a mistake, write to us:")
    ways_on = ()


class NeedsConnecting(SignInRefused):
    """An account with rights isn’t opened by an address alone: we don’t decide who may confirm addresses there."""

    code = "needs_connecting"
    heading = _("Connect your account first")
    message = _(
        "Your account here can do more than take courses, so an e-mail address alone doesn’t open it. We’ll e-mail you "
        "a link that connects {provider}."
    )
    ways_on = (WayOn.MAILED_LINK, WayOn.OTHER_SIGN_IN)


class NeedsConnectingOrPassword(NeedsConnecting):
    """Where people also have passwords of ours."""

    advice = _("Or sign in with your password and connect {provider} on your account page.")


class ConnectedElsewhere(SignInRefused):
    code = "connected_elsewhere"
    heading = _("Your account is connected to another sign-in")
    message = _("The account with your e-mail address is connected to another person at {provider}.")
    contact = _("Write to us, and we’ll sort out whose it is:")
    ways_on = (WayOn.OTHER_SIGN_IN,)


class IdentityTaken(SignInRefused):
    code = "identity_taken"
    status = HTTPStatus.CONFLICT
    heading = _("This sign-in belongs to another account")
    message = _("Your {provider} sign-in is already connected to another account here.")
    advice = _("Sign out, then sign in through {provider} to get to that account.")
    ways_on = (WayOn.ACCOUNT,)


class AddressUnconfirmed(SignInRefused):
    code = "address_unconfirmed"
    status = HTTPStatus.CONFLICT
    heading = _("Confirm your e-mail address first")
    message = _("Before you connect {provider}, confirm your e-mail address here.")
    advice = _("You can have the link sent from your account page.")
    ways_on = (WayOn.ACCOUNT,)


class SignInStopped(SignInRefused):
    """The person stopped at the provider."""

    code = "declined"
    heading = _("You aren’t signed in")
    message = _("You stopped at {provider}. Nothing has changed here; you can try again whenever you like.")
    ways_on = (WayOn.TRY_AGAIN, WayOn.OTHER_SIGN_IN)


class SignInStale(SignInRefused):
    """This return to us is over: harmless for someone who is already signed in."""

    code = "stale"
    status = HTTPStatus.BAD_REQUEST
    heading = _("This sign-in has ended")
    message = _("It was started too long ago or in another browser, or was already used.")
    advice = _("Start it again; it takes a moment.")
    ways_on = (WayOn.TRY_AGAIN, WayOn.OTHER_SIGN_IN)


class ProviderAway(SignInRefused):
    code = "provider_away"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    heading = _("{provider} isn’t answering")
    message = _("We can’t reach {provider} right now.")
    advice = _("Wait a few minutes, then try again.")
    ways_on = (WayOn.TRY_AGAIN, WayOn.OTHER_SIGN_IN)


class SignInBroken(SignInRefused):
    """Something went wrong between the provider and this site."""

    code = "failed"
    status = HTTPStatus.BAD_GATEWAY
    heading = _("Signing in didn’t work")
    message = _("Something went wrong between {provider} and this site.")
    advice: ClassVar[StrOrPromise] = _("Try again.")
    ways_on = (WayOn.TRY_AGAIN, WayOn.OTHER_SIGN_IN)
    contact = _IF_THAT_FAILS
    is_ours = True


class ClocksDiffer(SignInBroken):
    code = "clocks_differ"
    heading = _("Clocks don’t match")
    message = _("The time in {provider}’s answer doesn’t match ours: one of the clocks is wrong.")
    advice = _("Try again in a moment.")


class AnswerUnsound(SignInBroken):
    code = "answer_unsound"
    heading = _("We can’t accept this answer")
    message = _("We couldn’t verify what {provider} told us about you, so we haven’t signed you in.")


class ProviderMisconfigured(SignInBroken):
    code = "misconfigured"
    heading = _("Signing in through {provider} doesn’t work")
    message = _("{provider} and this site aren’t set up correctly for each other.")
    advice = ""
    contact = _("Contact us and we’ll fix it:")


class ConnectLinkUnusable(DomainError):
    """The same for a link that is old, used, damaged, or opened in another browser: a stranger learns nothing."""

    code = "connect_link_unusable"
    status = HTTPStatus.GONE
    heading = _("This link no longer works")
    message = _("This link works once, for an hour, and only in the browser where you asked for it.")
    advice = _(
        "Sign in again there to get a new one. If you didn’t ask for it, ignore this: your account hasn’t changed."
    )


class SignedInAsOther(DomainError):
    """The link is for another account than the one signed in."""

    code = "signed_in_as_other"
    message = _("This link is for another account; you’re signed in as {email}.")
    advice = _("Sign out, then sign in again to get a new link.")
    email: str
    retry_url: str | None = None


class LastWayIn(DomainError):
    code = "last_way_in"
    message = _("This is your only way to sign in.")
    advice = _("Set a password first, then you can disconnect it.")
