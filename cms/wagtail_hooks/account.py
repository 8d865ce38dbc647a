"""The page of one's own account in the Wagtail admin."""

from __future__ import annotations

from wagtail.admin.views.account import AvatarSettingsPanel

from cms.forms import ProfilePictureForm

AvatarSettingsPanel.form_class = ProfilePictureForm
AvatarSettingsPanel.template_name = "cms/admin/profile_picture.html"
