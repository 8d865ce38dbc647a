"""Courses that learners take and leave on their own: free ones, and those of their contracts."""

from __future__ import annotations

from datetime import datetime

from b2b.enums import MembershipState
from b2b.errors.seats import NotAMember
from b2b.models import ContractRun
from b2b.services.seats.redemption import start_course
from courses.errors import RunUnknown
from courses.models import Enrollment
from courses.services.enrollments import leave_run
from ecommerce.services.checkout.free_enrollment import enroll_free
from mitxonline.kernel import clock


def take_course(*, run_id: int, user_id: int, now: datetime) -> Enrollment:
    """Enroll a learner in a run that costs them nothing. An active enrollment stays as it is, even in a closed run.

    Raises RunUnknown for a run of a contract in which they have no seat, and what `enroll_free` and `start_course`
    raise.
    """
    there = Enrollment.objects.active().of(user_id).filter(run=run_id).first()
    if there is not None:
        return there
    contract_run_id = ContractRun.objects.current().filter(course_run=run_id).values_list("pk", flat=True).first()
    if contract_run_id is None:
        return enroll_free(user_id=user_id, run_id=run_id, now=now)
    try:
        return start_course(contract_run_id=contract_run_id, user_id=user_id, now=now)
    except NotAMember:
        raise RunUnknown from None


def leave_course(*, enrollment_id: int, user_id: int, now: datetime) -> None:
    """End a learner's enrollment because they want to leave. A seat in the course's contract stays.

    What was paid for or given to them alone can't be left: members of a free contract can start its courses again.
    Raises EnrollmentUnknown, EnrollmentNotUndone.
    """
    runs = ContractRun.objects.current().filter(
        course_run__enrollments=enrollment_id,
        contract__memberships__user_id=user_id,
        contract__memberships__state=MembershipState.ACTIVE,
    )
    run = runs.select_related("contract__terms").first()
    terms = run.contract.terms if run is not None else None
    can_return = terms is not None and terms.is_free and terms.is_valid_on(clock.date_of(now))
    leave_run(enrollment_id=enrollment_id, user_id=user_id, can_return=can_return, now=now)
