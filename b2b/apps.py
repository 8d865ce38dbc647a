from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class B2bConfig(AppConfig):
    name = "b2b"
    verbose_name = _("Organizations and contracts")

    def ready(self) -> None:
        """Connect the signals here because hook modules load late, and never in some processes."""
        from django.db.models.signals import post_delete, post_save
        from wagtail.signals import page_published, page_unpublished

        from b2b import signals
        from b2b.models import ContractPage
        from courses.models import ProgramRequirement

        page_published.connect(signals.contract_published, sender=ContractPage, dispatch_uid="b2b.published")
        page_unpublished.connect(signals.contract_unpublished, sender=ContractPage, dispatch_uid="b2b.unpublished")
        for signal in (post_save, post_delete):
            signal.connect(signals.program_changed, sender=ProgramRequirement, dispatch_uid="b2b.program_changed")
