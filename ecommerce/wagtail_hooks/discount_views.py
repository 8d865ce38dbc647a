"""Discounts in the Wagtail admin: the list, the forms, a discount's codes, and what is done with one press."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views import View
from django.views.generic.edit import FormView
from wagtail.admin.ui.tables import BulkActionsCheckboxColumn, Column, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.history import HistoryView
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets.button import HeaderButton

from ecommerce.errors.admin import DiscountRefused
from ecommerce.models import Discount, DiscountCode
from ecommerce.models.discount import DiscountQuerySet
from ecommerce.selectors.discount_access import DiscountAccess
from ecommerce.selectors.discounts import (
    DiscountState,
    for_what,
    listed_codes,
    listed_discounts,
    state_of,
    takes_off,
    with_words,
)
from ecommerce.selectors.sentences import dates_text, uses_text
from ecommerce.services.discounts.discounts import (
    add_codes,
    change_discount,
    limit_code,
    make_discount,
    note_export,
    pause_discounts,
    resume_discounts,
    switch_code,
    uses_of_each,
)
from ecommerce.wagtail_hooks.discount_forms import DiscountForm, LimitForm, MoreCodesForm, NewDiscountForm
from ecommerce.wagtail_hooks.lists import (
    CODE_CELLS,
    DISCOUNT_CELLS,
    DiscountFilters,
    FileMixin,
    StateColumn,
    TextColumn,
    code_state,
    code_uses,
    discount_columns,
    given_to,
)
from ecommerce.wagtail_hooks.policies import discount_access_for
from mitxonline.kernel import clock
from mitxonline.kernel.errors import NotFound

NAME = "discounts"
OBJECT = "item"  # what Wagtail's script for several rows calls them


def url(name: str, *args: object) -> str:
    """The address of one of these pages."""
    return reverse(f"{NAME}:{name}", args=args)


class DiscountAccessMixin(PermissionCheckedMixin):
    """A page for those who look after discounts. Someone else's discount is like one that isn't there."""

    model = Discount
    request: HttpRequest
    kwargs: dict[str, Any]
    header_icon = "tag"

    @cached_property
    def access(self) -> DiscountAccess:
        """Who is here."""
        return discount_access_for(self.request.user)

    @cached_property
    def discount(self) -> Discount:
        """The discount the address names."""
        found = listed_discounts(self.access).filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found


class DiscountIndex(DiscountAccessMixin, FileMixin, generic.IndexView):
    """All discounts of the shop, or of the courses someone looks after."""

    any_permission_required = ["view"]
    page_title = gettext_lazy("Discounts")
    template_name = "ecommerce/admin/discounts.html"
    filterset_class = DiscountFilters
    is_searchable = True
    default_ordering = "-pk"
    paginate_by = 30
    export_filename = "discounts"
    cells = DISCOUNT_CELLS
    add_item_label = gettext_lazy("Make a discount")
    verbose_name_plural = gettext_lazy("discounts")

    @cached_property
    def columns(self) -> list[Column]:
        title = TitleColumn(
            "name",
            label=_("Name"),
            accessor=str,
            sort_key="name",
            get_url=lambda each: url("codes" if not self.access.may_change(each) else "edit", each.pk),
            get_title_id=lambda each: f"{OBJECT}_{each.pk}_title",
        )
        several = [BulkActionsCheckboxColumn("bulk_actions", obj_type=OBJECT)] if self.access.may_make else []
        return [*several, title, *discount_columns()]

    def get_base_queryset(self) -> DiscountQuerySet:
        return listed_discounts(self.access)

    def search_queryset(self, queryset: DiscountQuerySet) -> DiscountQuerySet:
        return with_words(queryset, self.search_query) if self.is_searching else queryset

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        buttons = list(super().header_buttons)
        if self.access.may_make:
            buttons.append(HeaderButton(_("Create codes in bulk"), url=f"{url('add')}?codes=many", icon_name="plus"))
        return buttons


class _Form(DiscountAccessMixin, WagtailAdminTemplateMixin, FormView[Any]):
    """A form in Wagtail's frame."""

    template_name = "ecommerce/admin/form.html"
    submit_button_label: Any = gettext_lazy("Save")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        form = context["form"]
        return context | {
            "action_url": self.request.get_full_path(),
            "submit_button_label": self.submit_button_label,
            "submit_button_active_label": _("Saving…"),
            "has_unsaved_changes": form.is_bound,
            "media": form.media,
        }

    def form_invalid(self, form: Any) -> HttpResponse:
        messages.error(self.request, _("Not saved. See the messages below."))
        return super().form_invalid(form)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        items = [*self.breadcrumbs_items, {"url": url("index"), "label": _("Discounts")}]
        if "pk" in self.kwargs:
            items.append({"url": url("codes", self.discount.pk), "label": str(self.discount)})
        return [*items, {"url": "", "label": self.get_page_title()}]


class MakeDiscount(_Form):
    """A new discount with its codes."""

    permission_required = "add"
    form_class = NewDiscountForm
    page_title = gettext_lazy("Make a discount")
    submit_button_label = gettext_lazy("Make it")

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"access": self.access}

    def get_initial(self) -> dict[str, Any]:
        return {"codes": "many", "often": "once"} if self.request.GET.get("codes") == "many" else {}

    def form_valid(self, form: NewDiscountForm) -> HttpResponse:
        try:
            made = make_discount(draft=form.draft(), wish=form.wish(), access=self.access, now=clock.now())
        except DiscountRefused as refusal:  # someone was faster with the same code
            form.add_error(field_of(form, refusal), refusal.message)
            return self.form_invalid(form)
        number = len(made.codes)
        sentence = (
            ngettext("Made “%(name)s” with %(n)d code.", "Made “%(name)s” with %(n)d codes.", number)
            if number
            else _("Made “%(name)s”. It applies by itself.")
        )
        messages.success(self.request, sentence % {"name": made.discount, "n": number})
        return redirect(url("codes", made.discount.pk))


class ChangeDiscount(_Form):
    """What a discount takes off, for what, for whom and until when."""

    permission_required = "change"
    form_class = DiscountForm
    page_title = gettext_lazy("Change")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Who may see a discount and not change it, looks at it."""
        if self.user_has_permission("change") and not self.access.may_change(self.discount):
            return redirect(url("codes", self.discount.pk))
        return super().dispatch(request, *args, **kwargs)

    def get_page_subtitle(self) -> str:
        return str(self.discount)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"access": self.access, "discount": self.discount}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"stand": standing(self.discount, self.access)}

    def form_valid(self, form: DiscountForm) -> HttpResponse:
        change_discount(discount_id=self.discount.pk, draft=form.draft(), access=self.access, now=clock.now())
        messages.success(
            self.request,
            _("Saved “%(name)s”. Orders that were placed keep their price.") % {"name": form.cleaned_data["name"]},
        )
        return redirect(url("codes", self.discount.pk))


def field_of(form: Any, refusal: DiscountRefused) -> str | None:
    """The field of a form that a refusal is about; None for the form as a whole."""
    name = DiscountForm.FIELDS.get(refusal.field, refusal.field)
    return name if name in form.fields else None


class DiscountCodes(DiscountAccessMixin, FileMixin, generic.IndexView):
    """A discount with its codes, and how often each was used."""

    any_permission_required = ["view"]
    template_name = "ecommerce/admin/codes.html"
    is_searchable = True
    paginate_by = 50
    cells = CODE_CELLS
    search_kwarg = "q"
    verbose_name_plural = gettext_lazy("codes")
    list_filter = None
    filterset_class = None

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TitleColumn("text", label=_("Code"), accessor="text", get_url=self._code_url),
            TextColumn("uses", label=_("Can be used"), text=code_uses),
            Column("used", label=_("Used"), sort_key="used"),
            Column("held", label=_("In checkout"), sort_key="held"),
            TextColumn("given_to", label=_("Given to"), text=given_to),
            StateColumn("state", label=_("State"), text=code_state),
        ]

    def _code_url(self, code: DiscountCode) -> str | None:
        return url("code", code.pk) if self.access.may_change(self.discount) else None

    def get_page_title(self) -> str:
        return str(self.discount)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": url("index"), "label": _("Discounts")},
            {"url": "", "label": str(self.discount)},
        ]

    def get_base_queryset(self) -> QuerySet[DiscountCode]:
        return listed_codes(self.discount).select_related("discount").order_by("pk")

    def search_queryset(self, queryset: QuerySet[DiscountCode]) -> QuerySet[DiscountCode]:
        if not self.is_searching:
            return queryset
        by_text = DiscountCode.objects.beginning_with(self.search_query).filter(discount=self.discount)
        by_address = DiscountCode.objects.filter(discount=self.discount, assigned_email__icontains=self.search_query)
        return queryset.filter(pk__in=by_text.values("pk")) | queryset.filter(pk__in=by_address.values("pk"))

    def get_index_url(self) -> str:
        return url("codes", self.discount.pk)

    def get_index_results_url(self) -> str:
        return url("codes_results", self.discount.pk)

    def get_filename(self) -> str:
        return f"discount-{self.discount.pk}-codes"

    def as_spreadsheet(self, queryset: QuerySet[DiscountCode], spreadsheet_format: str) -> Any:
        with transaction.atomic():
            note_export(discount_id=self.discount.pk, access=self.access)
        return super().as_spreadsheet(queryset, spreadsheet_format)

    def get_add_url(self) -> None:
        """A code is never added by itself."""

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        if not self.access.may_change(self.discount):
            return []
        buttons = [HeaderButton(_("Change"), url=url("edit", self.discount.pk), icon_name="edit")]
        if not self.discount.automatic:
            buttons.append(HeaderButton(_("More codes"), url=url("more", self.discount.pk), icon_name="plus"))
        return [*buttons, HeaderButton(_("History"), url=url("history", self.discount.pk), icon_name="history")]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        return context | {"stand": standing(self.discount, self.access), "discount": self.discount}


class MoreCodes(_Form):
    """More codes of the same kind."""

    permission_required = "change"
    form_class = MoreCodesForm
    page_title = gettext_lazy("More codes")
    submit_button_label = gettext_lazy("Make them")

    def form_valid(self, form: MoreCodesForm) -> HttpResponse:
        try:
            made = add_codes(discount_id=self.discount.pk, wish=form.wish(), access=self.access, now=clock.now())
        except DiscountRefused as refusal:
            form.add_error(field_of(form, refusal), refusal.message)
            return self.form_invalid(form)
        except NotFound:
            raise Http404 from None
        sentence = ngettext("Made %(n)d more code.", "Made %(n)d more codes.", len(made))
        messages.success(self.request, sentence % {"n": len(made)})
        return redirect(url("codes", self.discount.pk))


class OneCode(_Form):
    """One code: how often it can be used, and pausing it alone."""

    permission_required = "change"
    form_class = LimitForm
    template_name = "ecommerce/admin/code.html"

    @cached_property
    def code(self) -> DiscountCode:
        """The code the address names."""
        codes = DiscountCode.objects.filter(discount__in=self.access.to_keep()).select_related("discount")
        found = codes.filter(pk=self.kwargs["code_pk"]).first()
        if found is None:
            raise Http404
        return found

    def get_page_title(self) -> str:
        return self.code.text

    def get_initial(self) -> dict[str, Any]:
        return {"max_uses": self.code.max_uses}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        discount = self.code.discount
        return [
            *self.breadcrumbs_items,
            {"url": url("index"), "label": _("Discounts")},
            {"url": url("codes", discount.pk), "label": str(discount)},
            {"url": "", "label": self.code.text},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"code": self.code, "state": code_state(self.code)}

    def form_valid(self, form: LimitForm) -> HttpResponse:
        try:
            limit_code(code_id=self.code.pk, max_uses=form.cleaned_data["max_uses"], access=self.access)
        except DiscountRefused as refusal:
            form.add_error("max_uses", refusal.message)
            return self.form_invalid(form)
        messages.success(self.request, _("Saved how often the code can be used."))
        return redirect(url("codes", self.code.discount_id))


class Switch(DiscountAccessMixin, View):
    """Pause or resume a discount with one press."""

    permission_required = "change"
    http_method_names = ["post"]
    active = False

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not self.access.may_change(self.discount):
            raise Http404
        switch = resume_discounts if self.active else pause_discounts
        switch(discount_ids=[self.discount.pk], access=self.access)
        sentence = (
            _("“%(name)s” can be used again, within its dates.")
            if self.active
            else _("“%(name)s” is paused: no one can use it until it is resumed. Orders in payment keep it.")
        )
        messages.success(request, sentence % {"name": self.discount})
        return redirect(url("codes", self.discount.pk))


class SwitchCode(DiscountAccessMixin, View):
    """Pause or resume one code."""

    permission_required = "change"
    http_method_names = ["post"]
    active = False

    def post(self, request: HttpRequest, *, code_pk: int, **kwargs: Any) -> HttpResponse:
        try:
            code = switch_code(code_id=code_pk, active=self.active, access=self.access)
        except NotFound:
            raise Http404 from None
        messages.success(request, _("The code can be used again.") if self.active else _("The code is paused."))
        return redirect(url("codes", code.discount_id))


class DiscountHistory(DiscountAccessMixin, HistoryView):
    """Who did what to a discount."""

    any_permission_required = ["view"]
    edit_url_name = f"{NAME}:codes"
    history_url_name = f"{NAME}:history"
    history_results_url_name = f"{NAME}:history_results"
    index_url_name = f"{NAME}:index"

    def get_base_object_queryset(self) -> DiscountQuerySet:
        return self.access.discounts()

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        return []


def standing(discount: Discount, access: DiscountAccess) -> dict[str, Any]:
    """What is said above a discount's form and codes."""
    state = state_of(discount, now=clock.now())
    may_change = access.may_change(discount)
    return {
        "state": state,
        "takes_off": takes_off(discount),
        "for_what": for_what(discount),
        "people": discount.people.count() if discount.for_chosen_people else None,
        "dates": dates_text(discount.activates_at, discount.expires_at) or _("Always valid."),
        "uses": uses_text(
            redemption_type=discount.redemption_type,
            max_uses=None if discount.automatic else uses_of_each(discount),
            automatic=discount.automatic,
        ),
        "automatic": discount.automatic,
        "used": getattr(discount, "used", 0),
        "held": getattr(discount, "held", 0),
        "pause_url": url("pause", discount.pk) if may_change and discount.is_active else "",
        "resume_url": url("resume", discount.pk) if may_change and not discount.is_active else "",
        "is_over": state == DiscountState.OVER,
    }
