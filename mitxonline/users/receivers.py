"""What users does when it hears of events."""

from mitxonline.users.events import AccountMailQueued
from mitxonline.users.mails import send_account_email


def send_account_mail(event: AccountMailQueued) -> None:
    """Send one of the e-mails about an account."""
    send_account_email(event)
