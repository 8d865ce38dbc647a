"""The people of an organization in the Wagtail admin, and who of them manages its seats."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permission_policies import ModelPermissionPolicy

from b2b.models import ContractPage, OrganizationMembership, OrganizationPage
from b2b.selectors.people import describe_people, people_of
from b2b.services.organizations.managers import (
    ManagerOutcome,
    ManagersPlan,
    name_managers,
    plan_managers,
    set_manager,
)
from mitxonline.kernel import clock
from mitxonline.kernel.fingerprint import PlanChanged
from mitxonline.kernel.people.fields import PeopleForm
from mitxonline.staff.lists import DayColumn, MomentColumn, StaffIndexView, TemplateColumn
from mitxonline.staff.pages import StaffButtonView, StaffFormPage, StaffPageMixin
from mitxonline.users.models import User


class OrganizationPeopleMixin(StaffPageMixin):
    """A page about one organization's people, for those who may edit the organization's page."""

    permission_policy = ModelPermissionPolicy(ContractPage)
    permission_required = "change"
    header_icon = "group"

    @cached_property
    def organization(self) -> OrganizationPage:
        page: OrganizationPage = get_object_or_404(OrganizationPage, pk=self.kwargs["pk"])
        return page

    def user_has_permission(self, permission: str) -> bool:
        return super().user_has_permission(permission) and bool(
            self.organization.permissions_for_user(self.request.user).can_edit()
        )

    def get_parents(self) -> list[tuple[str, object]]:
        return [
            (reverse("b2b_organizations:index"), gettext("Organizations")),
            (reverse("b2b_organizations:detail", args=[self.organization.pk]), self.organization.name),
        ]


def people_url(organization_id: int) -> str:
    return reverse("b2b_organizations:people", args=[organization_id])


class PeopleFilters(WagtailFilterSet):
    manager = django_filters.ChoiceFilter(
        label=_("Managers"),
        choices=[("yes", _("Managers only"))],
        empty_label=_("All"),
        method="filter_manager",
        widget=forms.RadioSelect,
    )

    class Meta:
        model = User
        fields: list[str] = []

    def filter_manager(self, found: QuerySet[Any], _name: str, _value: str) -> QuerySet[Any]:
        return found.filter(is_manager_here=True)


class PeopleView(OrganizationPeopleMixin, StaffIndexView):
    """Everyone in the organization or with a seat in one of its contracts."""

    model = User
    results_template_name = "b2b/admin/list_results.html"
    empty_message = _("No one belongs to this organization yet.")
    search_fields = ["email", "name"]
    default_ordering = "name"
    filterset_class = PeopleFilters
    page_subtitle = _("People")
    columns = [
        TemplateColumn(
            "person", label=_("Person"), template="b2b/admin/organization_person_cell.html", sort_key="name"
        ),
        TemplateColumn("contracts", label=_("Contracts"), template="b2b/admin/organization_person_contracts_cell.html"),
        Column("joined_by", label=_("Joined by"), accessor="person.joined_by"),
        DayColumn("since", label=_("Since"), accessor="person.since"),
        TemplateColumn("act", label=_("Actions"), template="b2b/admin/organization_person_act_cell.html"),
    ]
    export_filename = "people"
    export_columns = [
        Column("name", label=_("Name")),
        Column("email", label=_("E-mail")),
        Column("contracts", label=_("Contracts"), accessor="contracts_text"),
        Column("joined_by", label=_("Joined by"), accessor="person.joined_by"),
        MomentColumn("since", label=_("Since"), accessor="person.since"),
    ]

    def get_page_title(self) -> str:
        return self.organization.name

    @property
    def header_buttons(self) -> list[HeaderButton]:
        url = reverse("b2b_organizations:add_manager", args=[self.organization.pk])
        return [HeaderButton(gettext("Add managers"), url=url, icon_name="plus")]

    def get_index_url(self) -> str:
        return people_url(self.organization.pk)

    def get_index_results_url(self) -> str:
        return reverse("b2b_organizations:people_results", args=[self.organization.pk])

    def get_base_queryset(self) -> QuerySet[User]:
        managing = OrganizationMembership.objects.filter(
            organization=self.organization.pk, user=OuterRef("pk"), is_manager=True
        )
        return people_of(self.organization.pk).annotate(is_manager_here=Exists(managing))

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        add_people_facts(context["object_list"], self.organization.pk)
        return context

    def get_export_rows(self, queryset: QuerySet[User]) -> Any:
        users = list(queryset)
        add_people_facts(users, self.organization.pk)
        for user in users:
            yield [column.get_value(user) for column in self.export_columns]


def add_people_facts(users: Any, organization_id: int) -> None:
    """Give each user of a page of the list what its cells show."""
    rows = list(users)
    for user, person in zip(rows, describe_people(rows, organization_id), strict=True):
        user.person = person
        user.organization_id = organization_id
        user.contracts_text = ", ".join(seat.contract.name for seat in person.seats) or "–"


class ManagersForm(PeopleForm):
    max_people = 200

    people = forms.CharField(
        label=_("People"),
        help_text=_(
            "One person per line, with or without a name: Ada Lovelace, ada@example.org. "
            "They need an account here, but no seat in a contract."
        ),
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off"}),
        max_length=20_000,
        error_messages={"required": _("Enter at least one address, or choose a file.")},
    )
    field_order = ["people", "file"]


OUTCOMES = {
    ManagerOutcome.NAMED: _("will manage the seats"),
    ManagerOutcome.MANAGES_ALREADY: _("manages them already"),
    ManagerOutcome.NO_ACCOUNT: _("has no account here. Ask them to create one first."),
    ManagerOutcome.NO_ADDRESS: _("This is not a complete address."),
}


class AddManagersView(OrganizationPeopleMixin, StaffFormPage):
    """Name managers, who may be anyone with an account: the list, its plan, and the same page confirms it."""

    form_class = ManagersForm
    template_name = "b2b/admin/add_managers.html"
    page_subtitle = _("Add managers")

    def get_page_title(self) -> str:
        return self.organization.name

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(back_url=self.get_success_url(), **kwargs)

    def form_valid(self, form: ManagersForm) -> HttpResponse:
        plan = plan_managers(organization_id=self.organization.pk, people=form.listed)
        seen = self.request.POST.get("seen")
        # The people of a file are shown in the list before anyone gets a right.
        if seen and plan.named and not form.has_new_text:
            try:
                plan = self._name(form, seen)
            except PlanChanged as refusal:
                messages.warning(self.request, str(refusal))
                plan = plan_managers(organization_id=self.organization.pk, people=form.listed)
            else:
                return redirect(self.get_success_url())
        heading = form.heading
        if form.has_new_text:
            form = ManagersForm({"people": form.text})
        rows = [(row, OUTCOMES[row.outcome]) for row in plan.rows]
        return self.render_to_response(self.get_context_data(form=form, plan=plan, rows=rows, heading=heading))

    def _name(self, form: ManagersForm, seen: str) -> ManagersPlan:
        plan = name_managers(
            organization_id=self.organization.pk,
            people=form.listed,
            seen=seen,
            by_id=self.request.user.pk,
            now=clock.now(),
        )
        sentence = ngettext(
            "%(person)s now manages the seats of %(organization)s.",
            "%(number)d people now manage the seats of %(organization)s.",
            len(plan.named),
        )
        facts = {"person": plan.named[0].name, "number": len(plan.named), "organization": self.organization.name}
        messages.success(self.request, sentence % facts)
        return plan

    def get_success_url(self) -> str:
        return people_url(self.organization.pk)


class ChangeManagerView(OrganizationPeopleMixin, StaffButtonView):
    """Make someone on the list a manager, or no longer one."""

    is_manager = True

    def perform(self) -> str:
        person = get_object_or_404(people_of(self.organization.pk), pk=self.kwargs["user_id"])
        return change_manager(self.organization, person, is_manager=self.is_manager, by=self.request.user)

    def get_success_url(self) -> str:
        return people_url(self.organization.pk)


def change_manager(organization: OrganizationPage, person: User, *, is_manager: bool, by: Any) -> str:
    set_manager(organization_id=organization.pk, user_id=person.pk, is_manager=is_manager, by_id=by.pk, now=clock.now())
    sentence = gettext("%(person)s now manages the seats of %(organization)s.")
    if not is_manager:
        sentence = gettext("%(person)s no longer manages the seats of %(organization)s.")
    return sentence % {"person": person.display_name, "organization": organization.name}
