"""Organizations and contracts in the Django admin, read-only: they are edited in Wagtail and by commands."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from b2b.errors.contracts import TooFewSeats
from b2b.models import (
    ContractCourseware,
    ContractMembership,
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
from b2b.seats import seats_for
from b2b.services.organizations.keycloak_joins import ask_refused_again
from b2b.services.organizations.managers import set_manager
from b2b.services.seats.membership import add_member, remove_member
from mitxonline.kernel import audit, clock
from mitxonline.kernel.admin import ReadOnlyAdminMixin
from mitxonline.staff.conflicts import ConflictFormMixin
from mitxonline.users.models import User


class EditedInWagtailMixin(ReadOnlyAdminMixin):
    """Adds a link to the page's editor."""

    @admin.display(description=_("Wagtail"))
    def wagtail_link(self, page: OrganizationPage | ContractPage) -> SafeString:
        url = reverse("wagtailadmin_pages:edit", args=[page.pk])
        return format_html('<a href="{}">{}</a>', url, gettext("Open in Wagtail"))


class ManagerInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = OrganizationMembership
    fields = ["user", "source", "is_manager", "since"]
    extra = 0


class KeycloakInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = KeycloakOrganization
    fields = ["alias", "keycloak_id", "enabled", "seen_at", "gone_since"]
    extra = 0


@admin.register(OrganizationPage)
class OrganizationAdmin(EditedInWagtailMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "slug", "org_key", "live", "wagtail_link"]
    list_filter = ["live"]
    search_fields = ["name", "slug", "org_key"]
    ordering = ["name"]
    fields = ["name", "slug", "org_key", "org_key_prefix", "live", "wagtail_link"]
    readonly_fields = ["wagtail_link"]
    inlines = [KeycloakInline, ManagerInline]


class CoursewareInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = ContractCourseware
    fields = ["course", "program", "course_run", "create_runs", "added_at", "removed_at"]
    extra = 0


class ContractRunInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = ContractRun
    fields = ["course_run", "product", "generation", "added_at", "removed_at"]
    extra = 0


class ReconcileInline(ReadOnlyAdminMixin, admin.TabularInline):  # type: ignore[type-arg]
    model = Reconcile
    fields = ["state", "reason", "requested_by", "requested_at", "finished_at", "before", "after", "error"]
    extra = 0


@admin.register(ContractPage)
class ContractAdmin(EditedInWagtailMixin, admin.ModelAdmin):  # type: ignore[type-arg]
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
class SignInFactAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["at", "user", "change", "about"]
    list_filter = ["change"]
    list_select_related = ["user", "organization", "contract__terms__organization"]
    search_fields = ["user__email", "user__name", "organization__name", "contract__name"]
    date_hierarchy = "at"

    @admin.display(description=_("about"))
    def about(self, fact: SignInFact) -> str:
        if fact.contract is not None:
            return f"{fact.contract} · {fact.contract.terms.organization}"
        return str(fact.organization or fact.detail)


@admin.register(KeycloakSync)
class KeycloakSyncAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["started_at", "state", "found", "made", "changed", "missing", "failures"]
    list_filter = ["state"]
    fields = [
        "started_at",
        "finished_at",
        "state",
        "found",
        "created",
        "linked",
        "updated",
        "disabled",
        "gone",
        "notes",
    ]
    readonly_fields = ["notes"]

    @admin.display(description=_("created"))
    def made(self, sync: KeycloakSync) -> int:
        return len(sync.created)

    @admin.display(description=_("linked or updated"))
    def changed(self, sync: KeycloakSync) -> int:
        return len(sync.linked) + len(sync.updated)

    @admin.display(description=_("disabled or gone"))
    def missing(self, sync: KeycloakSync) -> int:
        return len(sync.disabled) + len(sync.gone)

    @admin.display(description=_("problems"))
    def failures(self, sync: KeycloakSync) -> int:
        return len(sync.problems)

    @admin.display(description=_("problems"))
    def notes(self, sync: KeycloakSync) -> SafeString:
        return format_html_join("", "<p>{}</p>", ((sentence,) for sentence in sync.problems))


@admin.register(KeycloakJoin)
class KeycloakJoinAdmin(ReadOnlyAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["asked_at", "user", "organization", "state", "settled_at"]
    list_filter = ["state"]
    actions = ["ask_again"]
    list_select_related = ["user", "organization"]
    search_fields = ["user__email", "user__name", "organization__name"]

    @admin.action(description=_("Ask Keycloak again (if roles were missing)"), permissions=["ask_again"])
    def ask_again(self, request: HttpRequest, joins: QuerySet[KeycloakJoin]) -> None:
        """Retry the additions Keycloak refused, once the service account has its roles."""
        count = ask_refused_again(now=clock.now(), ids=list(joins.values_list("pk", flat=True)))
        if not count:
            self.message_user(request, _("None of these was refused because of missing roles."), messages.WARNING)
            return
        sentence = ngettext(
            "Asking Keycloak again for %(count)d person.", "Asking Keycloak again for %(count)d people.", count
        )
        self.message_user(request, sentence % {"count": count}, messages.SUCCESS)

    def has_ask_again_permission(self, request: HttpRequest) -> bool:
        """Allow people with the change permission, which exists although there is no form."""
        return request.user.has_perm("b2b.change_keycloakjoin")


# --- Seats and organizations on a person's page ----------------------------------------------------------------------

MembershipForms = BaseInlineFormSet[Any, User, Any]


class SeatForms(MembershipForms):
    """Adds and removes seats through the services that every door uses; refusals appear at the field."""

    by_id: int | None = None

    def clean(self) -> None:
        """Refuse a full contract before anything is written. Saving checks it again under the lock."""
        super().clean()
        for form in self.initial_forms + self.extra_forms:
            contract = form.cleaned_data.get("contract") if form.is_valid() else None
            if contract is None or form in self.initial_forms or form.cleaned_data.get("DELETE"):
                continue
            seats = seats_for([contract.pk], self.instance.pk).get(contract.pk)
            if seats is None:
                form.add_error("contract", gettext("This contract was never published, so it has no seats."))
            elif seats.is_full:
                form.add_error("contract", str(TooFewSeats(left=0, needed=1, invited=seats.count.invited)))

    def save_new(self, form: Any, commit: bool = True) -> ContractMembership:
        return add_member(
            contract_id=form.cleaned_data["contract"].pk,
            user_id=self.instance.pk,
            now=clock.now(),
            added_by_id=self.by_id,
        )

    def delete_existing(self, obj: ContractMembership, commit: bool = True) -> None:
        remove_member(
            contract_id=obj.contract_id,
            user_id=self.instance.pk,
            reason=gettext("Removed in the Django admin"),
            now=clock.now(),
            removed_by_id=self.by_id,
        )


class OrganizationMembershipForm(ConflictFormMixin, ModelForm[OrganizationMembership]):
    pass


class OrganizationForms(MembershipForms):
    """Adds people to organizations, and removes them once they have no seats there."""

    by_id: int | None = None

    def clean(self) -> None:
        super().clean()
        for form in self.deleted_forms:
            seats = ContractMembership.objects.filter(
                user_id=self.instance.pk, contract__terms__organization_id=form.instance.organization_id
            )
            if seats.exists():
                sentence = gettext("“%(person)s” has a seat in a contract of “%(organization)s”. Remove it first.")
                names = {"person": self.instance.name, "organization": form.instance.organization}
                raise ValidationError(sentence % names)

    def delete_existing(self, obj: OrganizationMembership, commit: bool = True) -> None:
        data: dict[str, audit.Detail] = {"user": self.instance.pk}
        audit.record(obj.organization, "b2b.member.remove", by_id=self.by_id, data=data)
        super().delete_existing(obj, commit=commit)

    def save_new(self, form: Any, commit: bool = True) -> OrganizationMembership:
        """Add the member; for an existing one, the source becomes staff."""
        organization = form.cleaned_data["organization"]
        found: OrganizationMembership = set_manager(
            organization_id=organization.pk,
            user_id=self.instance.pk,
            is_manager=form.cleaned_data["is_manager"],
            by_id=self.by_id,
            now=clock.now(),
        )
        return found

    def save_existing(self, form: Any, obj: OrganizationMembership, commit: bool = True) -> OrganizationMembership:
        found: OrganizationMembership = set_manager(
            organization_id=obj.organization_id,
            user_id=self.instance.pk,
            is_manager=form.cleaned_data["is_manager"],
            by_id=self.by_id,
            now=clock.now(),
        )
        return found


class InlineWithActor(admin.TabularInline):  # type: ignore[type-arg]
    """Passes the id of the signed-in user to its forms."""

    extra = 0
    fk_name = "user"

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        forms = super().get_formset(request, obj, **kwargs)
        return type(forms.__name__, (forms,), {"by_id": request.user.pk})


class SeatInline(InlineWithActor):
    model = ContractMembership
    formset = SeatForms
    fields = ["contract", "state", "source", "since"]
    readonly_fields = ["state", "source", "since"]
    autocomplete_fields = ["contract"]
    verbose_name_plural = _("Seats in contracts")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OrganizationInline(InlineWithActor):
    model = OrganizationMembership
    form = OrganizationMembershipForm
    formset = OrganizationForms
    fields = ["organization", "is_manager", "source", "since", "seen"]
    readonly_fields = ["source", "since"]
    autocomplete_fields = ["organization"]
    verbose_name_plural = _("Organizations")
