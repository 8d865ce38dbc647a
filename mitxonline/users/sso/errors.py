"""Why someone who a provider vouches for is not let in, or not connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class SignInRefused(DomainError):
    """A refusal with a page of its own: `heading` above, the sentence below, and whether trying again can help.

    `contact` leads to the support address, and is said only where there is one.
    """

    code = "sign_in_refused"
    status = 403
    heading: StrOrPromise = _("You can’t sign in this way yet")
    contact: StrOrPromise = ""
    retry_helps = True
    password_helps = False
    account_helps = False
    mail_helps = False

    def __init__(self, provider_title: str) -> None:
        super().__init__(self.sentence(provider_title))

    def sentence(self, provider: str) -> str:
        """What to tell, with the provider's name in it."""
        raise NotImplementedError


class NoEmail(SignInRefused):
    code = "email_missing"
    heading = _("We need your e-mail address")

    def sentence(self, provider: str) -> str:
        return _(
            "%(provider)s gave us no e-mail address of yours. Add one to your profile there, or ask who looks after "
            "%(provider)s, then try again."
        ) % {"provider": provider}


class EmailUnverified(SignInRefused):
    """The same for an address with an account here and for one without: no one can ask whose is known."""

    code = "email_unverified"
    heading = _("Your e-mail address isn’t confirmed")
    password_helps = True

    def sentence(self, provider: str) -> str:
        return _(
            "%(provider)s hasn’t confirmed that your e-mail address is yours, so we can’t tell which account is. "
            "Confirm it there, or ask who looks after %(provider)s, then try again."
        ) % {"provider": provider}


class AccountOff(SignInRefused):
    code = "account_off"
    heading = _("Your account is switched off")
    contact = _("If that’s a mistake, write to us:")
    retry_helps = False

    def sentence(self, provider: str) -> str:
        return _("%(provider)s knows you, but your account here has been switched off.") % {"provider": provider}


class NeedsConnecting(SignInRefused):
    """An account with rights is not opened by an address alone: who may confirm addresses there is not ours to say."""

    code = "needs_connecting"
    heading = _("Connect your account first")
    password_helps = True
    retry_helps = False
    mail_helps = True

    def sentence(self, provider: str) -> str:
        names = {"provider": provider}
        mailed = _(
            "Your account here can do more than take courses, so an e-mail address alone doesn’t open it. We’ll e-mail "
            "you a link that connects %(provider)s."
        )
        typed = _("Or sign in with your password and connect %(provider)s on your account page.")
        return " ".join(each % names for each in ([mailed, typed] if settings.LOCAL_ACCOUNTS else [mailed]))


class ConnectedElsewhere(SignInRefused):
    code = "connected_elsewhere"
    heading = _("Your account is connected to another sign-in")
    contact = _("Write to us, and we’ll sort out whose it is:")
    retry_helps = False
    password_helps = True

    def sentence(self, provider: str) -> str:
        return _("The account with your e-mail address is connected to another person at %(provider)s.") % {
            "provider": provider
        }


class IdentityTaken(SignInRefused):
    code = "identity_taken"
    status = 409
    heading = _("This sign-in belongs to another account")
    retry_helps = False
    account_helps = True

    def sentence(self, provider: str) -> str:
        return _(
            "Who you are at %(provider)s is connected to another account here already. Sign out, then sign in through "
            "%(provider)s to get to it."
        ) % {"provider": provider}


class AddressUnconfirmed(SignInRefused):
    code = "address_unconfirmed"
    status = 409
    heading = _("Confirm your e-mail address first")
    retry_helps = False
    account_helps = True

    def sentence(self, provider: str) -> str:
        return _(
            "Before you connect %(provider)s, confirm your e-mail address here. Your account page sends you the link."
        ) % {"provider": provider}


class ConnectLinkUnusable(DomainError):
    """The same for a link that is old, used, damaged, or opened in another browser: a stranger learns nothing."""

    code = "connect_link_unusable"
    status = 410

    def __init__(self) -> None:
        super().__init__(
            _(
                "This link works once, for an hour, and only in the browser where you asked for it. Sign in again "
                "there to get a new one. If you didn’t ask for it, you don’t need to do anything: your account hasn’t "
                "changed."
            )
        )


class SignedInAsOther(DomainError):
    """The link is for another account than the one signed in."""

    code = "signed_in_as_other"

    def __init__(self, email: str) -> None:
        super().__init__(
            _(
                "This link is for another account; you’re signed in as %(email)s. Sign out, then sign in again to get "
                "a new link."
            )
            % {"email": email}
        )
        self.retry_url = reverse("logout")


class LastWayIn(DomainError):
    code = "last_way_in"

    def __init__(self) -> None:
        super().__init__(_("This is your only way to sign in. Set a password first, then you can disconnect it."))
