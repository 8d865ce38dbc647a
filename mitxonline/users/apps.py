"""Who a person is; nothing about what they bought."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UsersConfig(AppConfig):
    name = "mitxonline.users"
    verbose_name = _("People")
