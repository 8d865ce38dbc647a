"""Copy a run with its dates moved: the form, the plan, then the run. Its price is copied only if someone chooses so."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.widgets import AdminDateInput

from courses.models import CourseRun
from courses.models.keys import parse_course_key
from courses.models.run import SOURCE_TAG
from courses.services.copies import can_begin, has_beginning, key_of_copy, moves_of
from ecommerce.models import Product
from ecommerce.services.catalog.copies import copy_run_with_prices
from mitxonline.kernel import clock
from mitxonline.staff.pages import StaffFormPage

WITH_PRICE, WITHOUT = "copy", "leave"


class RunCopyForm(forms.Form):
    tag = forms.CharField(
        label=gettext_lazy("Tag"),
        max_length=60,
        help_text=gettext_lazy("The last part of the new run’s key, such as 2027W05."),
        error_messages={"required": gettext_lazy("Enter a tag for the new run.")},
    )
    start = forms.DateField(
        label=gettext_lazy("First day"),
        help_text=gettext_lazy("All other dates move by the same number of days."),
        widget=AdminDateInput,
        error_messages={"required": gettext_lazy("Choose the day on which the new run starts.")},
    )
    prices = forms.ChoiceField(
        label=gettext_lazy("Prices"),
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose whether the new run is sold at the same price.")},
    )

    def __init__(self, run: CourseRun, products: list[Product], *args: Any, may_price: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.run = run
        if not has_beginning(run):
            del self.fields["start"]
        if not products or not may_price:
            del self.fields["prices"]
            return
        amounts = ", ".join(product.money.formatted() for product in products)
        self.fields["prices"] = forms.ChoiceField(
            label=gettext_lazy("Prices"),
            widget=forms.RadioSelect,
            choices=[
                (WITH_PRICE, _("Sell the new run at the same price: %(amounts)s") % {"amounts": amounts}),
                (WITHOUT, _("Leave it without a price for now")),
            ],
            error_messages={"required": _("Choose whether the new run is sold at the same price.")},
        )

    def clean_tag(self) -> str:
        tag: str = self.cleaned_data["tag"].strip()
        key = key_of_copy(self.run, tag)
        if "+" in tag or parse_course_key(key) is None:
            raise forms.ValidationError(_("A tag has only letters, digits, dots, dashes and underscores."))
        if tag == SOURCE_TAG:
            raise forms.ValidationError(_("SOURCE marks the run that contract runs are copied from."))
        if CourseRun.all_objects.filter(courseware_id=key).exists():
            raise forms.ValidationError(_("There is a run with the key %(key)s already.") % {"key": key})
        return tag

    def clean_start(self) -> date:
        start: date = self.cleaned_data["start"]
        if not can_begin(self.run, start):
            raise forms.ValidationError(_("The dates would leave the calendar. Check the year."))
        return start

    @property
    def copies_prices(self) -> bool:
        return self.cleaned_data.get("prices") == WITH_PRICE


class CopyRunView(StaffFormPage):
    model = CourseRun
    permission_required = "add"
    template_name = "ecommerce/admin/copy_run.html"
    header_icon = "calendar-alt"
    form_class = RunCopyForm
    page_subtitle = gettext_lazy("Copy")

    @cached_property
    def run(self) -> CourseRun:
        runs = CourseRun.objects.exclude(run_tag=SOURCE_TAG).select_related("course")
        found: CourseRun = get_object_or_404(runs, pk=self.kwargs["pk"])
        return found

    @cached_property
    def products(self) -> list[Product]:
        return list(Product.objects.filter(course_run=self.run, requires_code=False).order_by("pk"))

    def get_page_title(self) -> str:
        return self.run.courseware_id

    def get_parents(self) -> list[tuple[str, object]]:
        course = self.run.course
        return [(reverse("course_overview:course", args=[course.pk]), course.title)]

    def get_form_kwargs(self) -> dict[str, Any]:
        may_price = self.request.user.has_perm("ecommerce.add_product")
        return super().get_form_kwargs() | {"run": self.run, "products": self.products, "may_price": may_price}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            run=self.run,
            products=self.products,
            may_price=self.request.user.has_perm("ecommerce.add_product"),
            back_url=reverse("course_overview:course", args=[self.run.course_id]),
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "back" in request.POST:
            return self.render_to_response(self.get_context_data())
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: RunCopyForm) -> HttpResponse:
        if "confirmed" in self.request.POST:
            return super().form_valid(form)
        self.template_name = "ecommerce/admin/copy_run_confirm.html"
        moves = moves_of(self.run, start=form.cleaned_data.get("start"))
        key = key_of_copy(self.run, form.cleaned_data["tag"])
        return self.render_to_response(self.get_context_data(form=form, moves=moves, key=key))

    def perform(self, form: RunCopyForm) -> str:
        self.copy = copy_run_with_prices(
            run_id=self.run.pk,
            tag=form.cleaned_data["tag"],
            start=form.cleaned_data.get("start"),
            copies_prices=form.copies_prices,
            by_id=self.request.user.pk,
            now=clock.now(),
        )
        return _("The run %(key)s is saved. It isn’t live yet: check it, then tick Live.") % {
            "key": self.copy.courseware_id
        }

    def get_success_url(self) -> str:
        name = CourseRun.snippet_viewset.get_url_name("edit")  # type: ignore[attr-defined]
        if self.request.user.has_perm("courses.change_courserun"):
            return reverse(name, args=[self.copy.pk])
        return reverse("course_overview:course", args=[self.run.course_id])


class RunCopyViewSet(ViewSet):
    name = "run_copy"
    url_prefix = "courses/runs"

    def get_urlpatterns(self) -> list[URLPattern]:
        return [path("<int:pk>/copy/", CopyRunView.as_view(), name="copy")]


@hooks.register("register_admin_viewset")
def register_run_copies() -> RunCopyViewSet:
    return RunCopyViewSet()
