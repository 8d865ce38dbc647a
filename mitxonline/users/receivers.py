"""What hears of accounts."""

from mitxonline.users.events import AccountMailQueued
from mitxonline.users.mails import send_mail


def send_account_mail(event: AccountMailQueued) -> None:
    """Send one of the mails about an account; sending it twice bothers no one."""
    send_mail(
        event.kind,
        user_id=event.user_id,
        next_page=event.next_page,
        asked=event.asked,
        provider=event.provider,
    )
