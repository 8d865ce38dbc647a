"""Events and their receivers."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoordinatorConfig(AppConfig):
    name = "mitxonline.coordinator"
    verbose_name = _("Events")
