from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class CmsConfig(AppConfig):
    name = "cms"
    verbose_name = _("Site")
    # Sentences of constraints (mitxonline.kernel.constraints), by their name.
    constraint_sentences = {
        "search_document_has_one_subject": _("A search document belongs to a course or a program."),
    }

    def ready(self) -> None:
        signals = import_module("cms.signals")
        post_migrate.connect(signals.index_old_pages, sender=self)
