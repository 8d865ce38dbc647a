"""Hooks into Wagtail: the account page asks for our one name and not for the address, and the log knows our actions."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.views.account import NameEmailSettingsPanel

from mitxonline.users.admin_forms import WagtailNameForm
from mitxonline.users.closing import CLOSED
from mitxonline.users.email_change import CHANGED as EMAIL_CHANGED
from mitxonline.users.models import User
from mitxonline.users.sso.connections import CONNECTED, DISCONNECTED, LINKED
from mitxonline.users.sso.rights import FOLLOWED
from mitxonline.users.viewsets import DeletePeople, refuse_to_delete

NameEmailSettingsPanel.form_class = WagtailNameForm

ACTIONS = (
    (LINKED, _("Link sign-in"), _("Linked an account to a sign-in with the same confirmed address")),
    (CONNECTED, _("Connect sign-in"), _("Connected a sign-in")),
    (DISCONNECTED, _("Disconnect sign-in"), _("Disconnected a sign-in")),
    (EMAIL_CHANGED, _("Change address"), _("Changed the e-mail address, confirmed at both")),
    (CLOSED, _("Delete account"), _("Deleted the account, as its owner asked")),
    (FOLLOWED, _("Follow roles"), _("Rights followed the roles of a sign-in")),
)


@hooks.register("register_log_actions")  # type: ignore[untyped-decorator]
def register_actions(actions: Any) -> None:
    for name, label, message in ACTIONS:
        actions.register_action(name, label, message)


# After Wagtail’s own, which it replaces.
hooks.register("register_bulk_action", DeletePeople, order=10)


@hooks.register("before_delete_user")  # type: ignore[untyped-decorator]
def block_delete_of_people_in_use(request: HttpRequest, person: User) -> HttpResponseBase | None:
    return refuse_to_delete(request, person)
