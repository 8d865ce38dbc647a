"""Discounts in the Wagtail admin: the list, the forms, a discount's codes, and the buttons."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin import messages
from wagtail.admin.ui.tables import BulkActionsCheckboxColumn, Column, TitleColumn
from wagtail.admin.views.generic.history import HistoryView
from wagtail.admin.widgets.button import HeaderButton

from ecommerce.forms.discounts import ChangeDiscountForm, DiscountForm, LimitForm, MoreCodesForm, NewDiscountForm
from ecommerce.models import Discount, DiscountCode
from ecommerce.models.discount import DiscountQuerySet
from ecommerce.selectors.discount_access import DiscountAccess
from ecommerce.selectors.discount_text import dates_text, uses_text
from ecommerce.selectors.discounts import for_what, listed_codes, listed_discounts, search_discounts, takes_off
from ecommerce.services.discounts.discounts import (
    add_codes,
    change_discount,
    create_discount,
    limit_code,
    pause_discounts,
    record_export,
    resume_discounts,
    switch_code,
    uses_per_code,
)
from ecommerce.wagtail_hooks.discount_lists import (
    CODE_COLUMNS,
    CODE_EXPORT,
    DISCOUNT_COLUMNS,
    DISCOUNT_EXPORT,
    TONES,
    DiscountFilters,
    code_state,
    discount_state,
)
from ecommerce.wagtail_hooks.policies import discount_access_for
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.staff.conflicts import ConflictEditMixin
from mitxonline.staff.lists import StaffIndexView
from mitxonline.staff.pages import StaffButtonView, StaffFormPage

NAMESPACE = "discounts"
BULK_OBJECT = "item"  # the prefix that Wagtail's script for bulk actions expects in the ids of titles


def discount_url(name: str, *args: object) -> str:
    return reverse(f"{NAMESPACE}:{name}", args=args)


class DiscountMixin:
    """A page for users with discounts to manage. A discount of others answers 404, like one that doesn't exist."""

    model = Discount
    request: HttpRequest
    kwargs: dict[str, Any]
    header_icon = "tag"

    @cached_property
    def access(self) -> DiscountAccess:
        return discount_access_for(self.request.user)

    @cached_property
    def discount(self) -> Discount:
        discount = listed_discounts(self.access).filter(pk=self.kwargs["pk"]).first()
        if discount is None:
            raise Http404
        return discount

    def get_parents(self) -> list[tuple[str, object]]:
        return [(discount_url("index"), _("Discounts"))]


class DiscountIndex(DiscountMixin, StaffIndexView):
    page_title = gettext_lazy("Discounts")
    template_name = "ecommerce/admin/discounts.html"
    index_url_name = f"{NAMESPACE}:index"
    index_results_url_name = f"{NAMESPACE}:results"
    add_url_name = f"{NAMESPACE}:add"
    add_item_label = gettext_lazy("Create discount")
    verbose_name_plural = gettext_lazy("discounts")
    filterset_class = DiscountFilters
    is_searchable = True
    default_ordering = "-pk"
    paginate_by = 30
    export_filename = "discounts"
    export_columns = DISCOUNT_EXPORT

    def get_parents(self) -> list[tuple[str, object]]:
        return []

    @cached_property
    def columns(self) -> list[Column]:
        title = TitleColumn(
            "name",
            label=_("Name"),
            accessor=str,
            sort_key="name",
            get_url=lambda each: discount_url("edit" if self.access.may_change(each) else "codes", each.pk),
            get_title_id=lambda each: f"{BULK_OBJECT}_{each.pk}_title",
        )
        checkbox = BulkActionsCheckboxColumn("bulk_actions", obj_type=BULK_OBJECT)
        return [*([checkbox] if self.access.may_make else []), title, *DISCOUNT_COLUMNS]

    def get_base_queryset(self) -> DiscountQuerySet:
        return listed_discounts(self.access)

    def search_queryset(self, queryset: DiscountQuerySet) -> DiscountQuerySet:
        return search_discounts(queryset, self.search_query) if self.is_searching else queryset

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        buttons = list(super().header_buttons)
        if self.access.may_make:
            url = f"{discount_url('add')}?codes=many"
            buttons.append(HeaderButton(_("Create codes in bulk"), url=url, icon_name="plus"))
        return buttons


class DiscountFormPage(DiscountMixin, StaffFormPage):
    template_name = "ecommerce/admin/form.html"
    permission_required: ClassVar[str | None] = "change"
    submit_button_label: Any = gettext_lazy("Save")

    def get_parents(self) -> list[tuple[str, object]]:
        return [*super().get_parents(), (self.get_success_url(), str(self.discount))]

    def get_success_url(self) -> str:
        return discount_url("codes", self.discount.pk)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        form = context["form"]
        return context | {
            "action_url": self.request.get_full_path(),
            "submit_button_label": self.submit_button_label,
            "submit_button_active_label": _("Saving…"),
            "has_unsaved_changes": form.is_bound,
            "media": form.media,
        }

    def get_refused_field(self, form: Any, refusal: DomainError) -> str | None:
        name = getattr(refusal, "field", "")
        name = DiscountForm.FIELDS.get(name, name)
        return name if name in form.fields else None

    def form_invalid(self, form: Any) -> HttpResponse:
        messages.error(self.request, _("Not saved. See the messages below."))
        return super().form_invalid(form)


class CreateDiscountView(DiscountFormPage):
    permission_required = "add"
    form_class = NewDiscountForm
    page_title = gettext_lazy("Create discount")
    submit_button_label = gettext_lazy("Create discount")

    def get_parents(self) -> list[tuple[str, object]]:
        return DiscountMixin.get_parents(self)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"access": self.access}

    def get_initial(self) -> dict[str, Any]:
        return {"codes": "many", "often": "once"} if self.request.GET.get("codes") == "many" else {}

    def perform(self, form: NewDiscountForm) -> str:
        created = create_discount(draft=form.get_draft(), codes=form.get_codes(), access=self.access, now=clock.now())
        self.kwargs["pk"] = created.discount.pk
        n = len(created.codes)
        sentence = _("Created “%(name)s”. It applies automatically.")
        if n:
            sentence = ngettext("Created “%(name)s” with %(n)d code.", "Created “%(name)s” with %(n)d codes.", n)
        return sentence % {"name": created.discount, "n": n}


class ChangeDiscountView(ConflictEditMixin, DiscountFormPage):
    form_class = ChangeDiscountForm
    page_subtitle = gettext_lazy("Change")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Users who may only see the discount get the page that shows it.
        if self.user_has_permission("change") and not self.access.may_change(self.discount):
            return redirect(self.get_success_url())
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def get_page_title(self) -> str:
        return str(self.discount)

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"access": self.access, "discount": self.discount}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"summary": summarize(self.discount, self.access)}

    def perform(self, form: DiscountForm) -> str:
        change_discount(discount_id=self.discount.pk, draft=form.get_draft(), access=self.access, now=clock.now())
        name = form.cleaned_data["name"]
        return _("Saved “%(name)s”. Orders already placed keep their price.") % {"name": name}


class MoreCodesView(DiscountFormPage):
    form_class = MoreCodesForm
    page_title = gettext_lazy("More codes")
    submit_button_label = gettext_lazy("Create codes")

    def perform(self, form: MoreCodesForm) -> str:
        codes = add_codes(discount_id=self.discount.pk, codes=form.get_codes(), access=self.access, now=clock.now())
        return ngettext("Created %(n)d more code.", "Created %(n)d more codes.", len(codes)) % {"n": len(codes)}


class DiscountCodesView(DiscountMixin, StaffIndexView):
    """A discount with its codes and how often each was used."""

    template_name = "ecommerce/admin/codes.html"
    verbose_name_plural = gettext_lazy("codes")
    is_searchable = True
    filterset_class = None
    export_columns = CODE_EXPORT

    @cached_property
    def columns(self) -> list[Column]:
        may_change = self.access.may_change(self.discount)
        title = TitleColumn(
            "text",
            label=_("Code"),
            get_url=lambda code: discount_url("code", code.pk) if may_change else None,
        )
        return [title, *CODE_COLUMNS]

    def get_page_title(self) -> str:
        return str(self.discount)

    def get_base_queryset(self) -> QuerySet[DiscountCode]:
        return listed_codes(self.discount).select_related("discount").order_by("pk")

    def search_queryset(self, queryset: QuerySet[DiscountCode]) -> QuerySet[DiscountCode]:
        if not self.is_searching:
            return queryset
        by_text = DiscountCode.objects.beginning_with(self.search_query).filter(discount=self.discount)
        by_address = DiscountCode.objects.filter(discount=self.discount, assigned_email__icontains=self.search_query)
        return queryset.filter(pk__in=by_text.values("pk")) | queryset.filter(pk__in=by_address.values("pk"))

    def get_index_url(self) -> str:
        return discount_url("codes", self.discount.pk)

    def get_index_results_url(self) -> str:
        return discount_url("codes_results", self.discount.pk)

    def get_add_url(self) -> None:
        return None

    def get_filename(self) -> str:
        return f"discount-{self.discount.pk}-codes"

    def as_spreadsheet(self, queryset: QuerySet[DiscountCode], spreadsheet_format: str) -> Any:
        with transaction.atomic():
            record_export(discount_id=self.discount.pk, access=self.access)
        return super().as_spreadsheet(queryset, spreadsheet_format)

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        if not self.access.may_change(self.discount):
            return []
        pk = self.discount.pk
        buttons = [HeaderButton(_("Change"), url=discount_url("edit", pk), icon_name="edit")]
        if not self.discount.automatic:
            buttons.append(HeaderButton(_("More codes"), url=discount_url("more", pk), icon_name="plus"))
        return [*buttons, HeaderButton(_("History"), url=discount_url("history", pk), icon_name="history")]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        return context | {"summary": summarize(self.discount, self.access), "discount": self.discount}


class DiscountCodeView(ConflictEditMixin, DiscountFormPage):
    """One code: its limit, and a button that pauses it alone."""

    form_class = LimitForm
    template_name = "ecommerce/admin/code.html"

    @cached_property
    def code(self) -> DiscountCode:
        codes = DiscountCode.objects.filter(discount__in=self.access.manageable()).select_related("discount")
        code = codes.filter(pk=self.kwargs["code_pk"]).first()
        if code is None:
            raise Http404
        return code

    @cached_property
    def discount(self) -> Discount:
        return self.code.discount

    def get_page_title(self) -> str:
        return self.code.text

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"code": self.code}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        state = code_state(self.code)
        return super().get_context_data(**kwargs) | {"code": self.code, "state": state, "tone": TONES[state]}

    def perform(self, form: LimitForm) -> str:
        limit_code(code_id=self.code.pk, max_uses=form.cleaned_data["max_uses"], access=self.access)
        return _("Limit saved.")


class SwitchDiscountView(DiscountMixin, StaffButtonView):
    """Pauses a discount, or with `active` resumes it."""

    permission_required = "change"
    active = False

    def perform(self) -> str:
        if not self.access.may_change(self.discount):
            raise Http404
        if self.active:
            resume_discounts(discount_ids=[self.discount.pk], access=self.access)
            return _("“%(name)s” can be used again, within its dates.") % {"name": self.discount}
        pause_discounts(discount_ids=[self.discount.pk], access=self.access)
        sentence = _("“%(name)s” is paused: no one can use it until you resume it. Orders in payment keep it.")
        return sentence % {"name": self.discount}

    def get_success_url(self) -> str:
        return discount_url("codes", self.discount.pk)


class SwitchCodeView(DiscountMixin, StaffButtonView):
    """Pauses a code, or with `active` resumes it."""

    permission_required = "change"
    active = False

    def perform(self) -> str:
        code = switch_code(code_id=self.kwargs["code_pk"], active=self.active, access=self.access)
        self.kwargs["pk"] = code.discount_id
        return _("The code can be used again.") if self.active else _("The code is paused.")

    def get_success_url(self) -> str:
        return discount_url("codes", self.kwargs["pk"])


class DiscountHistory(DiscountMixin, HistoryView):
    any_permission_required = ["view"]
    edit_url_name = f"{NAMESPACE}:codes"
    history_url_name = f"{NAMESPACE}:history"
    history_results_url_name = f"{NAMESPACE}:history_results"
    index_url_name = f"{NAMESPACE}:index"
    header_buttons: ClassVar[list[HeaderButton]] = []

    def get_base_object_queryset(self) -> DiscountQuerySet:
        return self.access.discounts()


def summarize(discount: Discount, access: DiscountAccess) -> dict[str, Any]:
    """Return what the pages of a discount show above its form and its codes."""
    state = discount_state(discount)
    may_change = access.may_change(discount)
    return {
        "state": state,
        "tone": TONES[state],
        "takes_off": takes_off(discount),
        "for_what": for_what(discount),
        "people": discount.people.count() if discount.for_chosen_people else None,
        "dates": dates_text(discount.activates_at, discount.expires_at) or _("Always valid."),
        "uses": uses_text(
            redemption_type=discount.redemption_type,
            max_uses=None if discount.automatic else uses_per_code(discount),
            automatic=discount.automatic,
        ),
        "automatic": discount.automatic,
        "used": getattr(discount, "used", 0),
        "held": getattr(discount, "held", 0),
        "pause_url": discount_url("pause", discount.pk) if may_change and discount.is_active else "",
        "resume_url": discount_url("resume", discount.pk) if may_change and not discount.is_active else "",
    }
