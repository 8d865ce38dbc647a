"""The addresses of invoices, and the customers they go to."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import Column, UpdatedAtColumn
from wagtail.admin.views.generic.chooser import ChooseResultsView, ChooseView, ChosenView
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.viewsets.chooser import ChooserViewSet
from wagtail.admin.widgets.button import HeaderButton
from wagtail.snippets.models import register_snippet
from wagtail.snippets.views.chooser import SnippetChooserViewSet, SnippetChosenMultipleView, SnippetChosenView
from wagtail.snippets.views.snippets import HistoryView, UsageView

from ecommerce.forms.invoices import CustomerForm
from ecommerce.models import Customer
from ecommerce.roles import Action, may, may_somewhere
from ecommerce.wagtail_hooks import invoice_views as views
from ecommerce.wagtail_hooks.invoice_lists import INVOICES, InvoiceIndex
from ecommerce.wagtail_hooks.invoice_policies import customers_of
from ecommerce.wagtail_hooks.menu import SHOP_MENU
from mitxonline.kernel.choosers import SearchedChooseResultsView, SearchedChooseView, WordsForm
from mitxonline.kernel.timeline import SubjectKind, timeline_url
from mitxonline.staff.snippets import StaffSnippetEditView, StaffSnippetViewSet
from mitxonline.users.models import User


class MayInvoiceMixin:
    """Wagtail shows choosers to everyone in the admin; who the customers are, only those who see invoices know."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not any(may_somewhere(request.user, action) for action in (Action.INVOICE_ISSUE, Action.INVOICE_VIEW)):
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response


class ChooseCustomerView(MayInvoiceMixin, SearchedChooseView):
    pass


class ChooseCustomerResultsView(MayInvoiceMixin, SearchedChooseResultsView):
    pass


class CustomerChosenView(MayInvoiceMixin, SnippetChosenView):
    def get_object(self, pk: Any) -> Customer:
        return customers_of(self.request.user).get(pk=pk)


class CustomerChosenMultipleView(MayInvoiceMixin, SnippetChosenMultipleView):
    def get_objects(self, pks: Any) -> QuerySet[Customer]:
        return customers_of(self.request.user).filter(pk__in=pks)


class CustomerChooser(SnippetChooserViewSet):
    choose_view_class = ChooseCustomerView
    choose_results_view_class = ChooseCustomerResultsView
    chosen_view_class = CustomerChosenView
    chosen_multiple_view_class = CustomerChosenMultipleView


class MayGiveSeatsMixin:
    """Whom the shop knows is for people who may choose an account for a customer."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may(request.user, Action.INVOICE_ISSUE):
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response


class _AccountListMixin(MayGiveSeatsMixin):
    """Shows no one before something is searched for: there may be a million accounts."""

    ordering = ("name", "email")
    is_multiple_choice = False
    request: HttpRequest

    def get_object_list(self) -> QuerySet[User]:
        found = User.objects.filter(is_active=True)
        return found if self.request.GET.get("q", "").strip() else found.none()

    def get_filter_form(self) -> WordsForm:
        return WordsForm(self.request.GET, columns=["name", "email"])

    @property
    def columns(self) -> list[Column]:
        return [*super().columns, Column("name", label=_("Name"))]  # type: ignore[misc]


class ChooseAccountView(_AccountListMixin, ChooseView):
    pass


class ChooseAccountResultsView(_AccountListMixin, ChooseResultsView):
    pass


class AccountChosenView(MayGiveSeatsMixin, ChosenView):
    pass


class AccountChooser(ChooserViewSet):
    model = User
    icon = "user"
    choose_one_text = _("Choose a person")
    choose_another_text = _("Choose another person")
    register_widget = False
    choose_view_class = ChooseAccountView
    choose_results_view_class = ChooseAccountResultsView
    chosen_view_class = AccountChosenView

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.choose_view, name="choose"),
            path("results/", self.choose_results_view, name="choose_results"),
            path("chosen/<int:pk>/", self.chosen_view, name="chosen"),
        ]


ACCOUNTS = AccountChooser("shop_accounts", url_prefix="shop/accounts")


@hooks.register("register_admin_viewset")
def register_accounts() -> ViewSet:
    return ACCOUNTS


class OwnCustomerMixin:
    """A customer of other courses is like none."""

    request: HttpRequest

    def get_object(self, *args: Any, **kwargs: Any) -> Customer:
        customer: Customer = super().get_object(*args, **kwargs)  # type: ignore[misc]
        if not customers_of(self.request.user).filter(pk=customer.pk).exists():
            raise Http404
        return customer


class CustomerHistoryView(OwnCustomerMixin, HistoryView):
    pass


class CustomerUsageView(OwnCustomerMixin, UsageView):
    pass


class CustomerEditView(OwnCustomerMixin, StaffSnippetEditView):
    @cached_property
    def header_buttons(self) -> list[Any]:
        buttons: list[Any] = super().header_buttons
        if not may(self.request.user, Action.INVOICE_VIEW):
            return buttons
        url = timeline_url(SubjectKind.CUSTOMER, self.object.pk)
        return [*buttons, HeaderButton(_("What happened?"), url=url, icon_name="history")]


class CustomerViewSet(StaffSnippetViewSet):
    edit_view_class = CustomerEditView
    history_view_class = CustomerHistoryView
    usage_view_class = CustomerUsageView
    model = Customer
    icon = "group"
    menu_label = _("Customers")
    menu_hook = SHOP_MENU
    menu_name = "customers"
    menu_order = 130
    list_display = ["company", Column("contact_name", label=_("Contact")), "city", "tax_id", UpdatedAtColumn()]
    search_fields = ["company", "contact_name", "recipients", "city", "tax_id"]
    ordering = ["company"]
    copy_view_enabled = False
    chooser_viewset_class = CustomerChooser
    edit_handler = ObjectList(
        [
            MultiFieldPanel(
                [FieldPanel("company"), FieldPanel("contact_name"), FieldPanel("recipients")], heading=_("Customer")
            ),
            MultiFieldPanel(
                [
                    FieldPanel("street"),
                    FieldRowPanel([FieldPanel("postal_code"), FieldPanel("city")]),
                    FieldRowPanel([FieldPanel("region"), FieldPanel("country")]),
                    FieldPanel("tax_id"),
                ],
                heading=_("Address"),
            ),
            MultiFieldPanel([FieldPanel("account", widget=ACCOUNTS.widget_class)], heading=_("Seats and codes")),
            MultiFieldPanel([FieldPanel("note")], heading=_("For staff")),
        ],
        base_form_class=CustomerForm,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return customers_of(request.user)


register_snippet(CustomerViewSet)


class InvoiceMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return may_somewhere(request.user, Action.INVOICE_VIEW)


class InvoiceViewSet(ViewSet):
    name = INVOICES
    url_prefix = "invoices"
    icon = "doc-full"
    menu_hook = SHOP_MENU
    menu_label = _("Invoices")
    menu_name = "shop-invoices"
    menu_order = 120

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return InvoiceMenuItem

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", InvoiceIndex.as_view(), name="index"),
            path("results/", InvoiceIndex.as_view(results_only=True), name="index_results"),
            path("add/", views.AddInvoiceView.as_view(), name="add"),
            path("<int:pk>/", views.InvoiceView.as_view(), name="invoice"),
            path("<int:pk>/edit/", views.EditInvoiceView.as_view(), name="edit"),
            path("<int:pk>/delete/", views.DeleteDraftView.as_view(), name="delete"),
            path("<int:pk>/issue/", views.IssueView.as_view(), name="issue"),
            path("<int:pk>/pdf/", views.InvoicePDFView.as_view(), name="pdf"),
            path("<int:pk>/codes/", views.InvoiceCodesView.as_view(), name="codes"),
            path("<int:pk>/send/", views.SendView.as_view(), name="send"),
            path("<int:pk>/pause/", views.PauseView.as_view(), name="pause"),
            path("<int:pk>/pay/", views.PaymentView.as_view(), name="pay"),
            path("<int:pk>/payout/", views.PayoutView.as_view(), name="payout"),
            path("<int:pk>/entries/<int:entry_id>/reverse/", views.ReversePaymentView.as_view(), name="reverse"),
            path("<int:pk>/credit/", views.CreditView.as_view(), name="credit"),
            path("<int:pk>/entries/<int:entry_id>/pdf/", views.CreditNotePDFView.as_view(), name="credit_pdf"),
            path("<int:pk>/void/", views.VoidView.as_view(), name="void"),
        ]


@hooks.register("register_admin_viewset")
def register_invoices() -> InvoiceViewSet:
    return InvoiceViewSet()
