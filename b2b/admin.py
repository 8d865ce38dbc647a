"""Organizations and contracts in the Django admin: for looking. They are written in Wagtail and by command."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from b2b.models import (
    ContractCourseware,
    ContractPage,
    ContractRun,
    KeycloakJoin,
    KeycloakOrganization,
    KeycloakSync,
    OrganizationMembership,
    OrganizationPage,
    Reconcile,
    SignInFact,
)
from mitxonline.kernel.looking import LookOnly


class WrittenInWagtail(LookOnly):
    """A page that is written elsewhere, with the way there."""

    @admin.display(description=_("Wagtail"))
    def wagtail_link(self, page: OrganizationPage | ContractPage) -> SafeString:
        """Where the page is written."""
        url = reverse("wagtailadmin_pages:edit", args=[page.pk])
        return format_html('<a href="{}">{}</a>', url, gettext("Open in Wagtail"))


class ManagerInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = OrganizationMembership
    fields = ["user", "source", "is_manager", "since"]
    extra = 0


class KeycloakInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = KeycloakOrganization
    fields = ["alias", "keycloak_id", "enabled", "seen_at", "gone_since"]
    extra = 0


@admin.register(OrganizationPage)
class OrganizationAdmin(WrittenInWagtail, admin.ModelAdmin):  # type: ignore[type-arg]
    """Organizations with the people who belong to them."""

    list_display = ["name", "slug", "org_key", "live", "wagtail_link"]
    list_filter = ["live"]
    search_fields = ["name", "slug", "org_key"]
    ordering = ["name"]
    fields = ["name", "slug", "org_key", "org_key_prefix", "live", "wagtail_link"]
    readonly_fields = ["wagtail_link"]
    inlines = [KeycloakInline, ManagerInline]


class CoursewareInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = ContractCourseware
    fields = ["course", "program", "course_run", "create_runs", "added_at", "removed_at"]
    extra = 0


class ContractRunInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = ContractRun
    fields = ["course_run", "product", "generation", "added_at", "removed_at"]
    extra = 0


class ReconcileInline(LookOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = Reconcile
    fields = ["state", "reason", "requested_by", "requested_at", "finished_at", "before", "after", "error"]
    extra = 0


@admin.register(ContractPage)
class ContractAdmin(WrittenInWagtail, admin.ModelAdmin):  # type: ignore[type-arg]
    """Contracts with what they cover, their runs and what was done to bring them in line."""

    list_display = [
        "name",
        "integration_type",
        "contract_start",
        "contract_end",
        "active",
        "max_learners",
        "enrollment_fixed_price",
        "live",
        "wagtail_link",
    ]
    list_filter = ["integration_type", "active", "live"]
    search_fields = ["name", "slug"]
    ordering = ["name"]
    fields = [
        "name",
        "slug",
        "integration_type",
        "active",
        "contract_start",
        "contract_end",
        "max_learners",
        "enrollment_fixed_price",
        "currency",
        "codes_only_for_assignee",
        "live",
        "wagtail_link",
    ]
    readonly_fields = ["wagtail_link"]
    inlines = [CoursewareInline, ContractRunInline, ReconcileInline]


@admin.register(SignInFact)
class SignInFactAdmin(LookOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """What signing in through Keycloak gave and took, and who found a contract full."""

    list_display = ["at", "user", "change", "organization", "contract", "detail"]
    list_filter = ["change", "at"]
    list_select_related = ["user", "organization", "contract"]
    search_fields = ["user__email", "user__name", "organization__name", "contract__name"]
    date_hierarchy = "at"


@admin.register(KeycloakSync)
class KeycloakSyncAdmin(LookOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Each synchronization of organizations; lists hold the ids of pages."""

    list_display = ["started_at", "finished_at", "state", "found", "problems"]
    list_filter = ["state"]


@admin.register(KeycloakJoin)
class KeycloakJoinAdmin(LookOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Who came by code and was, or shall be, added to an organization in Keycloak."""

    list_display = ["asked_at", "user", "organization", "state", "settled_at"]
    list_filter = ["state", "organization"]
    list_select_related = ["user", "organization"]
    search_fields = ["user__email", "user__name", "organization__name"]
