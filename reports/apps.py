from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReportsConfig(AppConfig):
    name = "reports"
    verbose_name = _("Reports")
    # Sentences of constraints (mitxonline.kernel.constraints), by their name or their model’s.
    constraint_sentences: dict[str, object] = {}
