"""Celery tasks about accounts."""

from celery import shared_task
from django.core.management import call_command

from mitxonline.kernel import clock
from mitxonline.users.sso import rights
from mitxonline.users.sso.sessions import delete_old_logout_tokens


@shared_task
def end_overdue_rights() -> None:
    """Take away rights by roles that no sign-in has proved in time."""
    rights.end_overdue_rights(now=clock.now())


@shared_task
def clear_sign_ins() -> None:
    """Delete sign-ins that were never completed, and logout notices too old to be accepted again."""
    call_command("clearsocial", age=1)
    delete_old_logout_tokens(now=clock.now())
