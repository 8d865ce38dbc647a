"""What the worker does about accounts."""

from celery import shared_task
from django.core.management import call_command

from mitxonline.kernel import clock
from mitxonline.users.mails import send_mail
from mitxonline.users.sso import rights
from mitxonline.users.sso.sessions import drop_seen_tokens


# A mail server that doesn't answer is asked again for about an hour; the links live longer than that.
@shared_task(
    autoretry_for=(OSError,), retry_backoff=10, retry_backoff_max=900, max_retries=8, soft_time_limit=60, time_limit=90
)
def send_account_mail(kind: str, user_id: int, next_page: str = "", asked: str = "", provider: str = "") -> None:
    """Send one of the mails about an account; sending it twice bothers nobody."""
    send_mail(kind, user_id=user_id, next_page=next_page, asked=asked, provider=provider)


@shared_task
def end_overdue_rights() -> None:
    """Take away the rights by roles that no sign-in has proved in time."""
    rights.end_overdue_rights(now=clock.now())


@shared_task
def clear_sign_ins() -> None:
    """Forget sign-ins nobody came back from, and notices too old to be believed again."""
    call_command("clearsocial", age=1)
    drop_seen_tokens(now=clock.now())
