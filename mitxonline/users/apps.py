from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from wagtail.users.apps import WagtailUsersAppConfig


class UsersConfig(AppConfig):
    default = True
    name = "mitxonline.users"
    verbose_name = _("People")

    def ready(self) -> None:
        from mitxonline.users import checks, signals  # noqa: F401 - registers them


class WagtailPeopleConfig(WagtailUsersAppConfig):
    """Replaces wagtail.users in INSTALLED_APPS."""

    default = False
    user_viewset = "mitxonline.users.viewsets.PersonViewSet"
    group_viewset = "mitxonline.users.viewsets.GroupViewSet"
