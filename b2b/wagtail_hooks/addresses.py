"""Where everything is, and the section in the menu."""

from __future__ import annotations

from django.templatetags.static import static
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.viewsets.base import ViewSet, ViewSetGroup

from b2b.wagtail_hooks.add_courseware import AddCoursewareView, RemoveCoursewareView
from b2b.wagtail_hooks.codes import CodesView, ExportView
from b2b.wagtail_hooks.contracts import ICON, NAMESPACE, ContractIndex
from b2b.wagtail_hooks.courseware import CoursewareView
from b2b.wagtail_hooks.handouts import AssignView, HandOutView, RemindView, RevokeView
from b2b.wagtail_hooks.invitations import CancelInvitationView, InvitationsView, ReplaceView
from b2b.wagtail_hooks.organizations import OrganizationViewSet
from b2b.wagtail_hooks.publishing import ReviewView
from b2b.wagtail_hooks.rights import SEE_CONTRACTS
from b2b.wagtail_hooks.seats import AddMembersView, MembersView, MoveMemberView, RemoveMemberView
from b2b.wagtail_hooks.terms import ActivityView, TermsView
from mitxonline.staff.pages import menu_item_for


class ContractViewSet(ViewSet):
    """All contracts, and the workbench of each."""

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
            path("<int:pk>/invitations/", view(InvitationsView), name="invitations"),
            path("<int:pk>/invitations/results/", view(InvitationsView, results_only=True), name="invitations_results"),
            path(
                "<int:pk>/invitations/<int:hand_out_id>/cancel/", view(CancelInvitationView), name="cancel_invitation"
            ),
            path("<int:pk>/codes/export/csv/", view(ExportView), {"style": "csv"}, name="export_csv"),
            path("<int:pk>/codes/export/xlsx/", view(ExportView), {"style": "xlsx"}, name="export_xlsx"),
            path("<int:pk>/members/", view(MembersView), name="members"),
            path("<int:pk>/members/results/", view(MembersView, results_only=True), name="members_results"),
            path("<int:pk>/members/add/", view(AddMembersView), name="add_member"),
            path("<int:pk>/members/<int:seat_id>/remove/", view(RemoveMemberView), name="remove_member"),
            path("<int:pk>/members/<int:seat_id>/move/", view(MoveMemberView), name="move_member"),
            path("<int:pk>/activity/", view(ActivityView), name="activity"),
        ]


class OrganizationsGroup(ViewSetGroup):
    """One place in the menu for who buys seats."""

    items = (OrganizationViewSet, ContractViewSet)
    menu_icon = "group"
    menu_label = _("Organizations")
    menu_name = "organizations"
    menu_order = 155
    add_to_admin_menu = True


@hooks.register("register_admin_viewset")
def register_organizations() -> OrganizationsGroup:
    """The section, and the pages in it."""
    return OrganizationsGroup()


@hooks.register("insert_global_admin_css")
def look() -> SafeString:
    """How it looks."""
    return format_html('<link rel="stylesheet" href="{}">', static("b2b/admin.css"))


@hooks.register("insert_global_admin_js")
def moving_parts() -> SafeString:
    """Copying links."""
    return format_html('<script src="{}" defer></script>', static("b2b/admin.js"))
