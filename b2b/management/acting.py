"""Who acts by a command: the account it names, and the user who is signed in on the machine."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils.translation import gettext as _
from wagtail.log_actions import LogContext

from b2b.errors.contracts import ActorUnknown
from mitxonline.kernel.audit import recording_origin
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User


def add_as_option(parser: ArgumentParser) -> None:
    parser.add_argument("--as", dest="acting", metavar="EMAIL", help="the account that acts, for the records")


@contextmanager
def acting(email: str | None, *, command: str) -> Iterator[User | None]:
    """Record everything inside as done by this account, if any, and by the machine's user through this command.

    Raises ActorUnknown.
    """
    user = None
    if email is not None:
        user = User.objects.filter(email=normalize_email(email), is_active=True).first()
        if user is None:
            raise ActorUnknown(email=email)
    try:
        machine_user = getpass.getuser()
    except (KeyError, OSError):  # in a container the user may have a number and no name
        machine_user = _("an unnamed user")
    origin = _("%(command)s, typed by %(user)s") % {"command": command, "user": machine_user}
    with LogContext(user=user), recording_origin(origin):
        yield user
