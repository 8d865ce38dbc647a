from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _


class CoordinatorConfig(AppConfig):
    name = "mitxonline.coordinator"
    verbose_name = _("Events")
    # Sentences of constraints (mitxonline.kernel.constraints), by their name or their model’s.
    constraint_sentences = {
        "delivery": _("The delivery’s state doesn’t fit its times, so nothing was saved."),
        "deliveryattempt": _("The attempt doesn’t fit its delivery, so nothing was saved."),
    }

    def ready(self) -> None:
        from celery.signals import task_success

        from mitxonline.coordinator.checks import check_routes, check_times
        from mitxonline.coordinator.schedule import note_success

        checks.register(check_routes, "coordinator")
        checks.register(check_times, "coordinator")
        task_success.connect(note_success, dispatch_uid="scheduled tasks")
