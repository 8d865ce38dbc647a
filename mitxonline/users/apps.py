from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from wagtail.users.apps import WagtailUsersAppConfig


class UsersConfig(AppConfig):
    default = True
    name = "mitxonline.users"
    verbose_name = _("People")
    # Sentences of constraints (mitxonline.kernel.constraints), by their name or their model’s.
    constraint_sentences = {
        "users_logout_token_once": _("This sign-out was processed already."),
        "users_right_once": _("This person already has this right from this provider."),
        "users_group_right_once": _("This person is already in this group through this provider."),
        "account_is_not_deleted": _("This account was deleted."),
        "users_role_right_once": _("This person already has this role through this provider."),
        "users_right_names_its_role": _("A right that is a role names it."),
        "users_right_names_its_group": _("A right that is a group names it."),
    }

    def ready(self) -> None:
        from mitxonline.users import checks, signals  # noqa: F401 - registers them


class WagtailPeopleConfig(WagtailUsersAppConfig):
    """Replaces wagtail.users in INSTALLED_APPS."""

    default = False
    user_viewset = "mitxonline.users.viewsets.PersonViewSet"
    group_viewset = "mitxonline.users.viewsets.GroupViewSet"
