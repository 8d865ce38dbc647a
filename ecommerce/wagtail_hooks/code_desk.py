"""The code desk: find any code by its text, see what became of it, and change one registration code with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.widgets.button import HeaderButton

from courses.models import CourseRun
from courses.selectors.run_dates import format_run_dates
from ecommerce.codes import code_state, redeem_url, with_code_facts
from ecommerce.enums import CodeState, DeskAction, UseState
from ecommerce.errors.registration import CodeDeskRefused
from ecommerce.models import CodeUse, DiscountCode, SeatSale
from ecommerce.roles import Action, may, may_somewhere
from ecommerce.selectors.registration import find_opened_run, find_seat_sale, is_refunded, name_giver
from ecommerce.services.registration.desk import ChangeCode, CodePlan, change_code, find_other_runs, plan_change_code
from ecommerce.wagtail_hooks.menu import SHOP_MENU
from mitxonline.kernel import clock
from mitxonline.kernel.fingerprint import PlanChanged
from mitxonline.kernel.text import read_code
from mitxonline.kernel.timeline import Entry, SubjectKind, Viewer, get_subject, tell_timeline, timeline_url
from mitxonline.staff.pages import UNPROCESSABLE, ReasonForm, StaffFormPage, StaffPageMixin

CODE_DESK = "code_desk"
TONES = {
    CodeState.USED: "good",
    CodeState.HELD: "warn",
    CodeState.OFF: "quiet",
    CodeState.WITHDRAWN: "quiet",
    CodeState.ASSIGNED: "plain",
    CodeState.FREE: "plain",
}


@dataclass(frozen=True, slots=True)
class CodeAtDesk:
    """One code with its state. ``sale`` and ``run`` are those of a registration code."""

    code: DiscountCode
    state: CodeState
    sale: SeatSale | None
    run: CourseRun | None
    use: CodeUse | None

    @property
    def course_id(self) -> int | None:
        return self.sale.course_run.course_id if self.sale is not None else None

    @property
    def is_used(self) -> bool:
        return self.use is not None and self.use.state == UseState.CONFIRMED

    @property
    def is_refunded(self) -> bool:
        return is_refunded(self.code)

    @property
    def is_over(self) -> bool:
        """Whether the code is off although it was used."""
        return not self.code.active and self.state != CodeState.OFF

    @property
    def giver(self) -> str:
        return name_giver(self.sale) if self.sale is not None else ""

    @property
    def link(self) -> str:
        return redeem_url(self.code.text)

    @property
    def actions(self) -> list[DeskAction]:
        """What can be done with it now."""
        if self.sale is None or self.is_refunded:
            return []
        first = DeskAction.CANCEL if self.code.active else DeskAction.RESTORE
        return [first, *([DeskAction.FREE] if self.use is not None else []), DeskAction.MOVE]


def read_code_at_desk(code_id: int) -> CodeAtDesk | None:
    code = (
        with_code_facts(DiscountCode.objects.filter(pk=code_id))
        .select_related(
            "discount__unlocks",
            "discount__seat_sale__course_run__course",
            "discount__seat_sale__buyer",
            "discount__seat_sale__order_line__order",
            "discount__seat_sale__invoice_line__invoice",
            "moved_to__course",
        )
        .first()
    )
    if code is None:
        return None
    sale = find_seat_sale(code)
    use = None
    if sale is not None:
        uses = code.code_uses.exclude(state=UseState.RELEASED).select_related("user")
        use = uses.order_by("-pk").first()
    run = find_opened_run(code, sale) if sale is not None else None
    return CodeAtDesk(code=code, state=code_state(code), sale=sale, run=run, use=use)


class CodeDeskMixin(StaffPageMixin):
    model = DiscountCode
    header_icon = "key"
    action: Action = Action.CODE_VIEW

    def user_has_permission(self, _action: str) -> bool:
        return may_somewhere(self.request.user, self.action)

    def get_parents(self) -> list[tuple[str, object]]:
        return [(reverse(f"{CODE_DESK}:index"), _("Codes"))]


class CodeSearchForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=2000,
        help_text=gettext_lazy("A registration, enrollment or discount code, or the link it came in."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Enter a code.")},
    )


class CodeSearchView(CodeDeskMixin, StaffFormPage):
    """Find a code. It is posted, because addresses are logged."""

    page_title = gettext_lazy("Codes")
    form_class = CodeSearchForm
    template_name = "ecommerce/admin/code_search.html"

    def get_parents(self) -> list[tuple[str, object]]:
        return []

    def form_valid(self, form: Any) -> HttpResponse:
        code = DiscountCode.objects.matching(read_code(form.cleaned_data["code"])).first()
        desk = read_code_at_desk(code.pk) if code is not None else None
        # A code of other courses is like one that doesn't exist.
        if desk is None or not may(self.request.user, Action.CODE_VIEW, desk.course_id):
            form.add_error("code", _("There is no code like this."))
            return self.render_to_response(self.get_context_data(form=form), status=UNPROCESSABLE)
        return redirect(f"{CODE_DESK}:code", desk.code.pk)


class CodePageMixin(CodeDeskMixin):
    """A page about one code. A code of other courses is like one that doesn't exist."""

    @cached_property
    def desk(self) -> CodeAtDesk:
        desk = read_code_at_desk(self.kwargs["pk"])
        if desk is None or not may(self.request.user, Action.CODE_VIEW, desk.course_id):
            raise Http404
        return desk

    def get_page_title(self) -> str:
        return self.desk.code.text

    def get_success_url(self) -> str:
        return reverse(f"{CODE_DESK}:code", args=[self.kwargs["pk"]])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        desk = self.desk
        return context | {
            "desk": desk,
            "tone": TONES[desk.state],
            "run_text": _name_run(desk.run) if desk.run is not None else "",
            "back_url": self.get_success_url(),
        }


class CodeView(CodePageMixin, StaffFormPage):
    """One code: its state, its history, and what can be done with it."""

    template_name = "ecommerce/admin/code_desk.html"
    form_class = forms.Form
    http_method_names = ["get", "head"]

    @cached_property
    def entries(self) -> list[Entry]:
        viewer = Viewer(self.request.user)
        subject = get_subject(SubjectKind.CODE, str(self.desk.code.pk), viewer=viewer)
        return list(tell_timeline(subject, viewer=viewer).entries) if subject is not None else []

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        code = self.desk.code
        if self.desk.sale is not None or code.discount.unlocks_id is not None:
            return []
        url = reverse("discounts:code", args=[code.pk])
        return [HeaderButton(_("Limit or pause"), url=url, icon_name="edit")]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        actions = self.desk.actions if may(self.request.user, Action.CODE_CANCEL, self.desk.course_id) else []
        return super().get_context_data(
            entries=self.entries,
            actions=[(each.label, reverse(f"{CODE_DESK}:{each.value}", args=[self.desk.code.pk])) for each in actions],
            timeline=timeline_url(SubjectKind.CODE, str(self.desk.code.pk)) if self.entries else "",
            **kwargs,
        )


def _name_run(run: CourseRun) -> str:
    return f"{run.courseware_id} · {format_run_dates(run, clock.now())}"


class CancelForm(ReasonForm):
    """Whether the learner loses the course too is chosen, never preselected."""

    unenrolls = forms.ChoiceField(
        label=gettext_lazy("Its learner"),
        choices=[("no", gettext_lazy("keeps the course")), ("yes", gettext_lazy("loses the course"))],
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose what happens to the course.")},
    )
    field_order = ("unenrolls", "reason")

    def __init__(self, *args: Any, desk: CodeAtDesk, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not desk.is_used:
            del self.fields["unenrolls"]


class RestoreForm(ReasonForm):
    gives_back = forms.ChoiceField(
        label=gettext_lazy("The code was redeemed before"),
        choices=[
            ("yes", gettext_lazy("its learner gets the course back")),
            ("no", gettext_lazy("anyone who has the code can redeem it")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose who gets the seat.")},
    )
    field_order = ("gives_back", "reason")

    def __init__(self, *args: Any, desk: CodeAtDesk, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if desk.use is None or desk.use.state != UseState.RETIRED:
            del self.fields["gives_back"]


class FreeForm(ReasonForm):
    def __init__(self, *args: Any, desk: CodeAtDesk, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


class MoveForm(ReasonForm):
    run = forms.ChoiceField(
        label=gettext_lazy("Move to"),
        widget=forms.RadioSelect,
        error_messages={
            "required": gettext_lazy("Choose a start."),
            "invalid_choice": gettext_lazy("This start can’t be chosen any more. Choose another one."),
        },
    )
    field_order = ("run", "reason")

    def __init__(self, *args: Any, desk: CodeAtDesk, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        runs = find_other_runs(desk.code, desk.sale, now=clock.now()) if desk.sale is not None else []
        field = self.fields["run"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(str(run.pk), _name_run(run)) for run in runs]


class ChangeCodeView(CodePageMixin, StaffFormPage):
    """The form, then the plan, then the change. It is refused if the plan is another one by then."""

    template_name = "ecommerce/admin/code_change.html"
    action = Action.CODE_CANCEL
    desk_action: DeskAction = DeskAction.CANCEL

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if self.user_has_permission("change"):
            if self.desk.sale is None:
                raise Http404
            if not may(request.user, Action.CODE_CANCEL, self.desk.course_id):
                raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_page_subtitle(self) -> str:
        return str(self.desk_action.label)

    def get_parents(self) -> list[tuple[str, object]]:
        return [*super().get_parents(), (self.get_success_url(), self.desk.code.text)]

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"desk": self.desk}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(button=self.desk_action.label, **kwargs)
        form = context["form"]
        return context | {"has_choice": "run" not in form.fields or bool(form.fields["run"].choices)}

    def make_request(self, form: Any) -> ChangeCode:
        cleaned = form.cleaned_data
        return ChangeCode(
            code_id=self.desk.code.pk,
            action=self.desk_action,
            unenrolls=cleaned.get("unenrolls") == "yes",
            gives_back=cleaned.get("gives_back") == "yes",
            run_id=int(cleaned["run"]) if cleaned.get("run") else None,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "back" in request.POST:
            return self.render_to_response(self.get_context_data())
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        if "confirmed" not in self.request.POST:
            return self.show_plan(form)
        return super().form_valid(form)

    def show_plan(self, form: Any, warning: str = "") -> HttpResponse:
        try:
            plan = plan_change_code(self.make_request(form), now=clock.now())
        except CodeDeskRefused as refusal:
            return self.show_refusal(form, refusal)
        self.template_name = "ecommerce/admin/code_change_confirm.html"
        return self.render_to_response(self.get_context_data(form=form, plan=plan, warning=warning))

    def show_refusal(self, form: Any, refusal: Any) -> HttpResponse:
        if isinstance(refusal, PlanChanged):
            return self.show_plan(form, warning=str(refusal))
        return super().show_refusal(form, refusal)

    def perform(self, form: Any) -> str:
        plan: CodePlan = change_code(
            self.make_request(form),
            reason=form.cleaned_data["reason"],
            by_id=self.request.user.pk,
            now=clock.now(),
            seen=self.request.POST.get("seen", ""),
        )
        return str(_DONE[plan.request.action])


class CancelCodeView(ChangeCodeView):
    desk_action = DeskAction.CANCEL
    form_class = CancelForm


class RestoreCodeView(ChangeCodeView):
    desk_action = DeskAction.RESTORE
    form_class = RestoreForm


class FreeCodeView(ChangeCodeView):
    desk_action = DeskAction.FREE
    form_class = FreeForm


class MoveCodeView(ChangeCodeView):
    desk_action = DeskAction.MOVE
    form_class = MoveForm


_DONE = {
    DeskAction.CANCEL: gettext_lazy("The code is canceled."),
    DeskAction.RESTORE: gettext_lazy("The code is restored."),
    DeskAction.FREE: gettext_lazy("The code is marked as unused."),
    DeskAction.MOVE: gettext_lazy("The code is moved."),
}


class CodesMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return may_somewhere(request.user, Action.CODE_VIEW)


class CodeDeskViewSet(ViewSet):
    name = CODE_DESK
    url_prefix = "shop/codes"
    icon = "key"
    menu_hook = SHOP_MENU
    menu_label = gettext_lazy("Codes")
    menu_name = "shop-codes"
    menu_order = 120
    menu_item_class = CodesMenuItem

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", CodeSearchView.as_view(), name="index"),
            path("<int:pk>/", CodeView.as_view(), name="code"),
            path("<int:pk>/cancel/", CancelCodeView.as_view(), name="cancel"),
            path("<int:pk>/restore/", RestoreCodeView.as_view(), name="restore"),
            path("<int:pk>/free/", FreeCodeView.as_view(), name="free"),
            path("<int:pk>/move/", MoveCodeView.as_view(), name="move"),
        ]


@hooks.register("register_admin_viewset")
def register_code_desk() -> CodeDeskViewSet:
    return CodeDeskViewSet()
