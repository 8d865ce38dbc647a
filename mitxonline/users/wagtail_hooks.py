"""Wagtail's own account page asks for the name this model has, and leaves the address alone."""

from wagtail.admin.views.account import NameEmailSettingsPanel

from mitxonline.users.admin_forms import WagtailNameForm

NameEmailSettingsPanel.form_class = WagtailNameForm
