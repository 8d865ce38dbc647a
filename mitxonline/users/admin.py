"""People, connections and rights in the Django admin."""

from __future__ import annotations

from typing import Any

import social_django.admin  # noqa: F401 - registers the admins that are replaced below
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from social_django.models import Association, Nonce, UserSocialAuth

from mitxonline.kernel import clock
from mitxonline.kernel.admin import ReadOnlyAdminMixin
from mitxonline.staff.conflicts import ConflictAdminMixin
from mitxonline.users.admin_forms import GroupForm, PersonChangeForm, PersonCreationForm
from mitxonline.users.models import GivenRight, User
from mitxonline.users.sso.connections import find_losses, undo_connection

# social_django's own pages show sign-ins in progress, and would let an editor of people take over another's identity.
# The import registers them first, whatever the order of the apps.
admin.site.unregister([UserSocialAuth, Nonce, Association, Group])

_RIGHTS = ("is_superuser", "groups", "user_permissions")


@admin.register(User)
class PersonAdmin(ConflictAdminMixin, UserAdmin[User]):
    """Only superusers give rights and change superusers. Otherwise anyone who may change people could become one."""

    form = PersonChangeForm
    add_form = PersonCreationForm
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "email_verified_at", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("email", "name")
    readonly_fields = ("email_verified_at", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Person"), {"fields": ("name", "theme", "time_zone", "email_verified_at")}),
        (_("Rights"), {"fields": ("is_active", "is_staff", *_RIGHTS)}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {"classes": ("wide",), "fields": ("email", "name", "usable_password", "password1", "password2")},
        ),
    )

    def get_inlines(self, request: HttpRequest, obj: User | None) -> list[Any]:
        return [import_string(path) for path in settings.PERSON_INLINES]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        return fixed if request.user.is_superuser else (*fixed, "is_staff", *_RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # Setting a superuser's password would be as good as being one.
        allowed = super().has_change_permission(request, obj)
        return allowed and (request.user.is_superuser or obj is None or not obj.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (request.user.is_superuser or obj is None or not obj.is_superuser)


@admin.register(Group)
class RightsAdmin(ConflictAdminMixin, GroupAdmin):
    form = GroupForm


@admin.register(UserSocialAuth)
class ConnectionAdmin(ReadOnlyAdminMixin, admin.ModelAdmin[UserSocialAuth]):
    """Connections with providers. A wrong one is deleted here, and signing in creates the right one."""

    list_display = ("user", "provider", "uid", "created", "modified")
    list_filter = ("provider",)
    list_select_related = ("user",)
    search_fields = ("user__email", "user__name", "uid")
    fields = ("user", "provider", "uid", "created", "modified")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = admin.ModelAdmin.has_delete_permission(self, request, obj)
        return allowed and (request.user.is_superuser or obj is None or not obj.user.is_superuser)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        objects, *rest = super().get_deleted_objects(objs, request)
        losses: list[Any] = []
        for each in objs:
            if sentences := find_losses(each):
                losses += [str(_("What %(person)s loses, in the words they would read:") % {"person": each.user})]
                losses += [list(sentences)]
        return [*objects, *losses], *rest

    def delete_model(self, request: HttpRequest, obj: UserSocialAuth) -> None:
        undo_connection(obj, now=clock.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[UserSocialAuth]) -> None:
        for each in queryset.select_related("user").order_by("pk"):
            undo_connection(each, now=clock.now())


@admin.register(GivenRight)
class GivenRightAdmin(ReadOnlyAdminMixin, admin.ModelAdmin[GivenRight]):
    """Rights that follow a role at a provider. `promote_user` turns one into a right given by hand."""

    list_display = ("user", "kind", "group", "issuer", "given_at", "proved_at")
    list_filter = ("kind", "group")
    list_select_related = ("user", "group")
    search_fields = ("user__email", "user__name")
