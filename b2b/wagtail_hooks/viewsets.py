"""Admin menu, URLs and log actions."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.viewsets.base import ViewSet, ViewSetGroup

from b2b.wagtail_hooks.base import ICON, NAMESPACE, SEE_CONTRACTS, SEE_ORGANIZATIONS
from b2b.wagtail_hooks.codes import CodesView, ExportView
from b2b.wagtail_hooks.contracts import ContractIndex
from b2b.wagtail_hooks.courseware import AddCoursewareView, CoursewareView, RemoveCoursewareView
from b2b.wagtail_hooks.handouts import (
    AssignView,
    CancelInvitationView,
    HandOutView,
    InvitationsView,
    RemindView,
    ReplaceView,
    RevokeView,
)
from b2b.wagtail_hooks.invoices import AddContractInvoiceView, ContractInvoicesView
from b2b.wagtail_hooks.needs import FailedMailsIndex, SeatRequestIndex, SeatRequestView, SendMailAgainView
from b2b.wagtail_hooks.organizations import OrganizationDetail, OrganizationIndex
from b2b.wagtail_hooks.people import AddManagersView, ChangeManagerView, PeopleView
from b2b.wagtail_hooks.publishing import ReviewView
from b2b.wagtail_hooks.seats import AddMembersView, MembersView, MoveMemberView, RemoveMemberView
from b2b.wagtail_hooks.terms import ActivityView, TermsView
from mitxonline.staff.pages import menu_item_for

# The recorded action, its label in filters, and its message in reports. Messages never contain a code or an e-mail
# address.
LOG_ACTIONS = (
    ("b2b.seat.give", _("Give seat"), _("Gave a seat")),
    ("b2b.seat.withdraw", _("Withdraw seat"), _("Withdrew a seat")),
    ("b2b.seat.give_up", _("Give up seat"), _("Gave up a seat by deleting the account")),
    ("b2b.seat.move", _("Move to another contract"), _("Moved a person to another contract")),
    ("b2b.withdrawal.lift", _("Lift withdrawal"), _("Restored withdrawn access")),
    ("b2b.helper.name", _("Name helper"), _("Let someone hand out codes of group purchases")),
    ("b2b.helper.remove", _("Remove helper"), _("Removed someone who could hand out codes")),
    ("b2b.company_list.create", _("Create company list"), _("Created a list of a company’s group purchases")),
    ("b2b.company_list.delete", _("Delete company list"), _("Deleted a list of a company’s group purchases")),
    ("b2b.company_list.add", _("Add to company list"), _("Put a group purchase on a company’s list")),
    ("b2b.company_list.remove", _("Take off company list"), _("Took a group purchase off a company’s list")),
    ("b2b.code.assign", _("Assign code"), _("Assigned a code to someone")),
    ("b2b.code.revoke", _("Revoke code"), _("Revoked a code")),
    ("b2b.code.remind", _("Remind"), _("Reminded someone of a code")),
    ("b2b.code.replace", _("Replace shared code"), _("Replaced the shared code")),
    ("b2b.code.switch_off", _("Switch codes off"), _("Switched codes off")),
    ("b2b.code.export", _("Export codes"), _("Exported codes")),
    ("b2b.invitation.cancel", _("Cancel invitation"), _("Canceled an invitation")),
    ("b2b.member.remove", _("Remove member"), _("Removed a member of the organization")),
    ("b2b.manager.set", _("Change managers"), _("Changed the organization’s managers")),
    ("b2b.seats.ask", _("Ask for seats"), _("Asked for more seats")),
    ("b2b.seats.answer", _("Answer request for seats"), _("Answered a request for seats")),
    ("b2b.terms.change", _("Change terms"), _("Changed the terms in force")),
    ("b2b.contract.fix", _("Fix contract"), _("Fixed what a check had found")),
    ("b2b.courseware.add", _("Add courseware"), _("Added courseware")),
    ("b2b.courseware.remove", _("Remove courseware"), _("Removed courseware")),
)


class OrganizationViewSet(ViewSet):
    name = "b2b_organizations"
    url_prefix = "organizations"
    icon = "group"
    menu_label = _("Organizations")
    menu_name = "b2b-organizations"

    @property
    def menu_item_class(self) -> type[MenuItem]:
        return menu_item_for(SEE_ORGANIZATIONS)

    def get_urlpatterns(self) -> list[URLPattern]:
        view = self.construct_view
        return [
            path("", view(OrganizationIndex), name="index"),
            path("results/", view(OrganizationIndex, results_only=True), name="index_results"),
            path("<int:pk>/", view(OrganizationDetail), name="detail"),
            path("<int:pk>/people/", view(PeopleView), name="people"),
            path("<int:pk>/people/results/", view(PeopleView, results_only=True), name="people_results"),
            path("<int:pk>/managers/add/", view(AddManagersView), name="add_manager"),
            path("<int:pk>/people/<int:user_id>/manager/", view(ChangeManagerView), name="make_manager"),
            path(
                "<int:pk>/people/<int:user_id>/no-manager/",
                view(ChangeManagerView, is_manager=False),
                name="remove_manager",
            ),
        ]


class ContractViewSet(ViewSet):
    name = NAMESPACE
    url_prefix = "contracts"
    icon = ICON
    menu_label = _("Contracts")
    menu_name = "b2b-contracts"

    @property
    def menu_item_class(self) -> type[MenuItem]:
        return menu_item_for(SEE_CONTRACTS)

    def get_urlpatterns(self) -> list[URLPattern]:
        view = self.construct_view
        return [
            path("", view(ContractIndex), name="index"),
            path("results/", view(ContractIndex, results_only=True), name="index_results"),
            path("failed-mails/", view(FailedMailsIndex), name="failed_mails"),
            path("failed-mails/results/", view(FailedMailsIndex, results_only=True), name="failed_mails_results"),
            path("failed-mails/<int:mail_id>/send/", view(SendMailAgainView), name="send_mail_again"),
            path("seat-requests/", view(SeatRequestIndex), name="seat_requests"),
            path("seat-requests/results/", view(SeatRequestIndex, results_only=True), name="seat_requests_results"),
            path("<int:pk>/seat-requests/<int:request_id>/", view(SeatRequestView), name="seat_request"),
            path("<int:pk>/", view(TermsView), name="terms"),
            path("<int:pk>/publish/<int:revision_id>/", view(ReviewView), name="review"),
            path("<int:pk>/courseware/", view(CoursewareView), name="courseware"),
            path("<int:pk>/courseware/add/", view(AddCoursewareView), name="add_courseware"),
            path("<int:pk>/courseware/<int:row_id>/remove/", view(RemoveCoursewareView), name="remove_courseware"),
            path("<int:pk>/codes/", view(CodesView), name="codes"),
            path("<int:pk>/codes/results/", view(CodesView, results_only=True), name="codes_results"),
            path("<int:pk>/codes/assign/", view(HandOutView), name="hand_out"),
            path("<int:pk>/codes/<int:code_id>/assign/", view(AssignView), name="assign"),
            path("<int:pk>/codes/<int:code_id>/revoke/", view(RevokeView), name="revoke"),
            path("<int:pk>/codes/<int:code_id>/remind/", view(RemindView), name="remind"),
            path("<int:pk>/codes/<int:code_id>/replace/", view(ReplaceView), name="replace"),
            path("<int:pk>/codes/export/csv/", view(ExportView), {"style": "csv"}, name="export_csv"),
            path("<int:pk>/codes/export/xlsx/", view(ExportView), {"style": "xlsx"}, name="export_xlsx"),
            path("<int:pk>/invitations/", view(InvitationsView), name="invitations"),
            path("<int:pk>/invitations/results/", view(InvitationsView, results_only=True), name="invitations_results"),
            path(
                "<int:pk>/invitations/<int:hand_out_id>/cancel/", view(CancelInvitationView), name="cancel_invitation"
            ),
            path("<int:pk>/members/", view(MembersView), name="members"),
            path("<int:pk>/members/results/", view(MembersView, results_only=True), name="members_results"),
            path("<int:pk>/members/add/", view(AddMembersView), name="add_member"),
            path("<int:pk>/members/<int:seat_id>/remove/", view(RemoveMemberView), name="remove_member"),
            path("<int:pk>/members/<int:seat_id>/move/", view(MoveMemberView), name="move_member"),
            path("<int:pk>/invoices/", view(ContractInvoicesView), name="invoices"),
            path("invoices/add/", view(AddContractInvoiceView), name="add_invoice"),
            path("<int:pk>/activity/", view(ActivityView), name="activity"),
        ]


class OrganizationsGroup(ViewSetGroup):
    items = (OrganizationViewSet, ContractViewSet)
    menu_icon = "group"
    menu_label = _("Organizations")
    menu_name = "organizations"
    menu_order = 155
    add_to_admin_menu = True


@hooks.register("register_admin_viewset")
def register_organizations() -> OrganizationsGroup:
    return OrganizationsGroup()


@hooks.register("register_log_actions")
def register_log_actions(actions: Any) -> None:
    for name, label, message in LOG_ACTIONS:
        actions.register_action(name, label, message)


@hooks.register("insert_global_admin_css")
def add_css() -> SafeString:
    return format_html('<link rel="stylesheet" href="{}">', static("b2b/admin.css"))


@hooks.register("insert_global_admin_js")
def add_js() -> SafeString:
    return format_html('<script src="{}" defer></script>', static("b2b/admin.js"))
