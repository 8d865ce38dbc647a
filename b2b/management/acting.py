"""Who acts by a command: an account that was named, and whoever is signed in on the machine."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils.translation import gettext as _
from wagtail.log_actions import LogContext

from b2b.errors.contracts import ActorUnknown
from b2b.services.acting import acting_by
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User


def add_as_option(parser: ArgumentParser) -> None:
    """`--as EMAIL`."""
    parser.add_argument("--as", dest="acting", metavar="EMAIL", help="who does this, for the records")


@contextmanager
def acting(email: str | None, *, command: str) -> Iterator[User | None]:
    """Record everything inside as done by this account, if one is named, and by the machine's user by this command.

    Raises ActorUnknown.
    """
    user = None
    if email is not None:
        user = User.objects.filter(email=normalize_email(email), is_active=True).first()
        if user is None:
            raise ActorUnknown(email)
    way = _("%(command)s, typed by %(user)s") % {"command": command, "user": _machine_user()}
    with LogContext(user=user), acting_by(way):
        yield user


def _machine_user() -> str:
    """Who is signed in on this machine; in a container there may be a number and no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return _("an unnamed user")
