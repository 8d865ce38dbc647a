from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoursesConfig(AppConfig):
    name = "courses"
    verbose_name = _("Courses")
    # Sentences of constraints (mitxonline.kernel.constraints), by their name or their model’s.
    constraint_sentences = {
        "run_with_its_course": _("A run belongs to one course."),
        "run_places_are_enough": _("This course has no place left."),
        "run_lms_state_known": _("A run has one of the known states in the course site."),
        "run_refused_says_why": _("Say why the course site refused the run."),
        "enrollment_once_per_learner_and_run": _("This person is already enrolled in the run."),
        "enrollment_lms_state_is_one_of_four": _("The course site has four answers: waiting, unknown, there, refused."),
        "enrollment_refused_says_why": _("Say what the course site refused with."),
        "enrollment_forced_says_why": _("Say why the learner is to be in the run although it is closed."),
        "grant_once_per_reason": _("This person already has the course for this reason."),
        "program_enrollment_once_per_learner": _("This program is in the person’s list already."),
        "enrollmentdifference": _("A difference has a known kind and is about someone."),
    }

    def ready(self) -> None:
        from courses import checks, signals  # noqa: F401 - registers them
