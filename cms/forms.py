"""Forms that replace Wagtail's own."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms.account import AvatarPreferencesForm
from wagtail.images.fields import WagtailImageField
from wagtail.images.forms import BaseImageForm

from cms.services.pictures import UnreadablePicture, clean_picture, shrink_picture

MOST_PIXELS_OF_A_PROFILE = 400  # of a side, as Wagtail has it
UNREADABLE = _("This picture is damaged or incomplete. Export it again, or choose another file.")


class PictureField(WagtailImageField):
    """Takes a picture if all of it can be read, and passes on a clean one."""

    def check_image_pixel_size(self, f: Any) -> None:
        try:
            super().check_image_pixel_size(f)
        except OSError as error:  # its head can be read, and the rest can't
            raise ValidationError(UNREADABLE, code="unreadable") from error

    def to_python(self, data: Any) -> Any:
        file = super().to_python(data)
        if file is None:
            return None
        try:
            return clean_picture(file)
        except UnreadablePicture as error:
            raise ValidationError(UNREADABLE, code="unreadable") from error


class ImageForm(BaseImageForm):
    """The base of all of Wagtail's forms for pictures."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (field := self.fields.get("file")) is not None:
            self.fields["file"] = PictureField(label=field.label, required=field.required, widget=field.widget)


class ProfilePictureForm(AvatarPreferencesForm):
    """Wagtail's own stores small pictures as they are and fails on those that can't be read."""

    avatar = PictureField(label=_("Upload a profile picture"), required=False)

    def clean_avatar(self) -> Any:
        file = self.cleaned_data.get("avatar")
        if not file or file == self._original_avatar:
            return file  # False takes the picture away
        return shrink_picture(file, MOST_PIXELS_OF_A_PROFILE)
