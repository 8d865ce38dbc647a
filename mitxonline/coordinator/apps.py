from django.apps import AppConfig
from django.core import checks
from django.utils.translation import gettext_lazy as _


class CoordinatorConfig(AppConfig):
    name = "mitxonline.coordinator"
    verbose_name = _("Events")

    def ready(self) -> None:
        from mitxonline.coordinator.checks import check_routes, check_times

        checks.register(check_routes, "coordinator")
        checks.register(check_times, "coordinator")
