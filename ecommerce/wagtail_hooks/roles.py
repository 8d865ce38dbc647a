"""Who has a role in the shop: the list, a form that assigns one, and a page that takes one away."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.http import Http404
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import Column, DateColumn
from wagtail.admin.viewsets.base import ViewSet

from courses.models import Course
from ecommerce.enums import Role
from ecommerce.models import ShopRole
from ecommerce.services.roles.assign import assign_role, remove_role
from ecommerce.wagtail_hooks.menu import SHOP_MENU
from mitxonline.kernel import clock
from mitxonline.staff.lists import MomentColumn, StaffIndexView, TemplateColumn
from mitxonline.staff.pages import StaffFormPage, StaffPageMixin, menu_item_for
from mitxonline.users.models import GivenRight, RightKind, User

ROLES = "shop_roles"
# Enough to choose from; whoever isn't among them is found by a longer search.
PEOPLE_SHOWN = 20

ROLE_HELP = gettext_lazy(
    "Finance administrators see orders, reports and audits, refund, and invoice. Sales administrators see orders and "
    "codes, create coupons and invoice, but don’t refund."
)


class RoleFilters(WagtailFilterSet):
    role = django_filters.ChoiceFilter(
        label=gettext_lazy("Role"), choices=Role.choices, empty_label=gettext_lazy("All"), widget=forms.RadioSelect
    )

    class Meta:
        model = ShopRole
        fields: ClassVar[list[str]] = []


def name_place(row: ShopRole) -> str:
    return row.course.title if row.course is not None else _("The whole shop")


class RoleIndex(StaffIndexView):
    model = ShopRole
    template_name = "ecommerce/admin/roles.html"
    page_title = gettext_lazy("Roles")
    header_icon = "key"
    index_url_name = f"{ROLES}:index"
    index_results_url_name = f"{ROLES}:index_results"
    add_url_name = f"{ROLES}:add"
    add_item_label = gettext_lazy("Assign a role")
    verbose_name_plural = gettext_lazy("roles")
    filterset_class = RoleFilters
    search_fields = ("user__email", "user__name", "course__title", "course__readable_id")
    default_ordering = "-given_at"
    columns: ClassVar[list[Column]] = [
        TemplateColumn(
            "person",
            label=gettext_lazy("Person"),
            template="ecommerce/admin/role_person_cell.html",
            sort_key="user__email",
        ),
        Column("role", label=gettext_lazy("Role"), accessor="get_role_display", sort_key="role"),
        Column("course", label=gettext_lazy("For"), accessor=name_place, sort_key="course__title"),
        Column("by", label=gettext_lazy("Assigned by"), accessor=lambda row: _name(row.given_by)),
        DateColumn("given_at", label=gettext_lazy("Assigned"), sort_key="given_at"),
        TemplateColumn("act", label=gettext_lazy("Actions"), template="ecommerce/admin/role_act_cell.html"),
    ]
    export_filename = "roles"
    export_columns: ClassVar[list[Column]] = [
        Column("email", label=gettext_lazy("E-mail"), accessor="user.email"),
        Column("name", label=gettext_lazy("Name"), accessor="user.name"),
        Column("role", label=gettext_lazy("Role"), accessor="get_role_display"),
        Column("course", label=gettext_lazy("Course"), accessor=lambda row: row.course and row.course.readable_id),
        Column("by", label=gettext_lazy("Assigned by"), accessor=lambda row: _name(row.given_by)),
        MomentColumn("given_at", label=gettext_lazy("Assigned")),
    ]

    def get_base_queryset(self) -> QuerySet[ShopRole]:
        return ShopRole.objects.select_related("user", "course", "given_by")

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        by_sign_in = GivenRight.objects.filter(kind=RightKind.ROLE).select_related("user").order_by("user__email", "pk")
        roles = [(right, Role(right.role).label) for right in by_sign_in if right.role in Role.values]
        return context | {"by_sign_in": roles, "may_remove": self.user_has_permission("delete")}


class RolePageMixin(StaffPageMixin):
    model = ShopRole
    page_title = gettext_lazy("Roles")
    header_icon = "key"

    def get_parents(self) -> list[tuple[str, object]]:
        return [(reverse(f"{ROLES}:index"), _("Roles"))]

    def get_success_url(self) -> str:
        return reverse(f"{ROLES}:index")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"back_url": self.get_success_url()}


class PersonChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: User) -> str:
        return f"{obj.name} ({obj.email})" if obj.name else obj.email


class RoleForm(forms.Form):
    person = PersonChoice(
        label=gettext_lazy("Person"),
        queryset=User.objects.none(),
        widget=forms.RadioSelect,
        empty_label=None,
        error_messages={
            "required": gettext_lazy("Search for the person and choose them."),
            "invalid_choice": gettext_lazy("This person isn’t among those found. Search for them again."),
        },
    )
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=Role.choices,
        widget=forms.RadioSelect,
        help_text=ROLE_HELP,
        error_messages={"required": gettext_lazy("Choose a role.")},
    )
    course = forms.ModelChoiceField(
        label=gettext_lazy("Course"),
        queryset=Course.objects.order_by("title", "pk"),
        required=False,
        empty_label=gettext_lazy("The whole shop"),
        help_text=gettext_lazy("With a course, the role counts for that course’s orders, codes and reports only."),
    )

    def __init__(self, *args: Any, people: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("PersonChoice", self.fields["person"]).queryset = people


class AssignRoleView(RolePageMixin, StaffFormPage):
    """A search for people, and below it the form with those it found."""

    permission_required = "add"
    form_class = RoleForm
    template_name = "ecommerce/admin/assign_role.html"
    page_subtitle = gettext_lazy("Assign a role")

    @cached_property
    def words(self) -> str:
        return str(self.request.GET.get("q", "")).strip()[:200]

    @cached_property
    def people(self) -> QuerySet[User]:
        """Return the active people whose name or address has every word, the best known first."""
        if not self.words:
            return User.objects.none()
        people = User.objects.filter(is_active=True)
        for word in self.words.split():
            people = people.filter(Q(email__icontains=word) | Q(name__icontains=word))
        # The keys first: a sliced query can't be filtered by the field that reads the choice.
        keys = list(people.order_by("name", "email").values_list("pk", flat=True)[:PEOPLE_SHOWN])
        return User.objects.filter(pk__in=keys).order_by("name", "email")

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"people": self.people}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = len(self.people)
        context = super().get_context_data(**kwargs)
        return context | {"words": self.words, "found": found, "is_cut": found == PEOPLE_SHOWN}

    def perform(self, form: RoleForm) -> str:
        person, course, role = form.cleaned_data["person"], form.cleaned_data["course"], Role(form.cleaned_data["role"])
        is_new = assign_role(
            user_id=person.pk,
            role=role,
            course_id=course.pk if course is not None else None,
            by_id=self.request.user.pk,
            now=clock.now(),
        )
        sentence = _("%(person)s is now %(role)s for %(place)s.")
        if not is_new:
            sentence = _("%(person)s already is %(role)s for %(place)s.")
        place = course.title if course is not None else _("the whole shop")
        return sentence % {"person": person.display_name, "role": role.label.lower(), "place": place}


class RemoveRoleView(RolePageMixin, StaffFormPage):
    """Ask before a role is taken away: it ends at once, in every session."""

    permission_required = "delete"
    form_class = forms.Form
    template_name = "ecommerce/admin/remove_role.html"
    page_subtitle = gettext_lazy("Remove a role")

    @cached_property
    def role(self) -> ShopRole:
        row = ShopRole.objects.select_related("user", "course").filter(pk=self.kwargs["pk"]).first()
        if row is None:
            raise Http404
        return row

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(role=self.role, place=name_place(self.role), **kwargs)

    def perform(self, form: forms.Form) -> str:
        name = self.role.user.display_name
        remove_role(role_id=self.role.pk, by_id=self.request.user.pk)
        return _("%(person)s no longer has the role.") % {"person": name}


def _name(person: User | None) -> str:
    return person.display_name if person is not None else "–"


class RoleViewSet(ViewSet):
    name = ROLES
    url_prefix = "shop/roles"
    icon = "key"
    menu_hook = SHOP_MENU
    menu_label = gettext_lazy("Roles")
    menu_name = "shop-roles"
    menu_order = 900

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return menu_item_for("ecommerce.view_shoprole")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", RoleIndex.as_view(), name="index"),
            path("results/", RoleIndex.as_view(results_only=True), name="index_results"),
            path("new/", AssignRoleView.as_view(), name="add"),
            path("<int:pk>/remove/", RemoveRoleView.as_view(), name="remove"),
        ]


@hooks.register("register_admin_viewset")
def register_roles() -> ViewSet:
    return RoleViewSet()
