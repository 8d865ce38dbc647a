from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReportsConfig(AppConfig):
    name = "reports"
    verbose_name = _("Reports")
    # Sentences of constraints (mitxonline.kernel.constraints), by their name or their model’s.
    constraint_sentences = {
        "gateway_report_has_a_time": _("A report ends after it begins."),
        "gateway_entry_once": _("This movement is known already."),
        "report_job_one_at_a_time": _("This report is being written for you already."),
        "report_job_done_has_its_file": _("A finished report has a file."),
        "gateway_entry_kind_known": _("A movement is of a known kind."),
    }
