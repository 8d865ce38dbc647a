"""The Shop menu. Items are registered with the hook `SHOP_MENU`; users who may see none of them don't see the menu."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import Menu, SubmenuMenuItem

SHOP_MENU = "register_shop_menu_item"

shop_menu = Menu(register_hook_name=SHOP_MENU, construct_hook_name="construct_shop_menu")


@hooks.register("register_admin_menu_item")
def shop() -> SubmenuMenuItem:
    return SubmenuMenuItem(_("Shop"), shop_menu, name="shop", icon_name="tag", order=170)
