"""What the worker does about accounts."""

from celery import shared_task
from django.core.management import call_command

from mitxonline.kernel import clock
from mitxonline.users.sso import rights
from mitxonline.users.sso.sessions import drop_seen_tokens


@shared_task
def end_overdue_rights() -> None:
    """Take away the rights by roles that no sign-in has proved in time."""
    rights.end_overdue_rights(now=clock.now())


@shared_task
def clear_sign_ins() -> None:
    """Forget sign-ins no one came back from, and notices too old to be believed again."""
    call_command("clearsocial", age=1)
    drop_seen_tokens(now=clock.now())
