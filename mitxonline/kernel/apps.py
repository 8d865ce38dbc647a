from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class KernelConfig(AppConfig):
    name = "mitxonline.kernel"
    verbose_name = _("Kernel")

    def ready(self) -> None:
        from mitxonline.kernel import checks  # noqa: F401 - registers the checks
        from mitxonline.kernel.db import prepare_session
        from mitxonline.kernel.version_triggers import install_triggers
        from mitxonline.kernel.versions import follow_changes

        connection_created.connect(prepare_session, dispatch_uid="poolers")
        connection_created.connect(follow_changes, dispatch_uid="versions")
        post_migrate.connect(install_triggers, sender=self, dispatch_uid="versions")
