from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _


class KernelConfig(AppConfig):
    name = "mitxonline.kernel"
    verbose_name = _("Kernel")

    def ready(self) -> None:
        from mitxonline.kernel import checks  # noqa: F401 - registers the checks
        from mitxonline.kernel.db import prepare_session

        connection_created.connect(prepare_session, dispatch_uid="poolers")
