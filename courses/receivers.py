"""What courses do when they hear of events."""

from courses.services.leaving import leave_courses
from mitxonline.users.events import AccountClosed


def end_courses(event: AccountClosed) -> None:
    """End the enrollments of a deleted account, in the transaction that deletes it."""
    leave_courses(user_id=event.user_id, now=event.at)
