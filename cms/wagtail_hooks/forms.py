"""Forms of the catalog in the Wagtail admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.blocks.base import BlockField

from cms.blocks.requirements import RequirementsBlock
from cms.selectors.sites import courses_beyond, programs_beyond
from courses.models import Course, CourseRun, Department, Program, Topic
from courses.models.keys import course_number, parse_course_key
from courses.models.run import SOURCE_TAG
from courses.places import count_taken
from courses.services.requirements import Group, groups_of, set_requirements
from ecommerce.models import Product
from mitxonline.kernel.search_words import fold
from mitxonline.staff.days import DayField, explain_days, keep_unchanged_moments
from mitxonline.staff.sites import SiteField, SiteFormMixin

RUN_DAYS = ("end_date", "enrollment_start", "enrollment_end", "upgrade_deadline", "certificate_available_date")


class CourseForm(SiteFormMixin, WagtailAdminModelForm):
    """The id can't change once there are runs, because it is part of their keys."""

    topics = forms.ModelMultipleChoiceField(
        Topic.objects.all(),
        label=_("Topics"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What learners get better at. Visitors search and filter by it. More of them: Courses → Topics."),
    )

    site = SiteField(help_text=Course._meta.get_field("site").help_text)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and CourseRun.all_objects.filter(course=self.instance).exists():
            self.fields["readable_id"].disabled = True
            self.fields["readable_id"].help_text = _("It can’t change because runs have it in their keys.")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        least, most = cleaned.get("hours_per_week_min"), cleaned.get("hours_per_week_max")
        if least and most and most < least:
            self.add_error("hours_per_week_max", _("The maximum hours a week can’t be less than the minimum."))
        if "site" in cleaned and self.instance.pk and "site" in self.changed_data:
            programs = programs_beyond(self.instance, cleaned["site"])
            if programs:
                sentence = gettext("Programs of other sites include this course: %(programs)s. Change these first.")
                self.add_error("site", sentence % {"programs": ", ".join(each.title for each in programs)})
        return cleaned


class CourseRunForm(WagtailAdminModelForm):
    end_date = DayField(label=_("Ends"), required=False, is_end=True)
    enrollment_start = DayField(label=_("Enrollment opens"), required=False)
    enrollment_end = DayField(label=_("Enrollment closes"), required=False, is_end=True)
    upgrade_deadline = DayField(label=_("Last day to upgrade"), required=False, is_end=True)
    certificate_available_date = DayField(label=_("Certificates from"), required=False)
    is_free = forms.TypedChoiceField(
        label=_("Price"),
        choices=[
            ("no", _("Priced: offered once finance has set its price")),
            ("yes", _("Free: anyone can enroll without paying")),
        ],
        coerce=lambda value: value == "yes",
        empty_value=None,
        required=False,
        widget=forms.RadioSelect,
        initial="no",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored_days = {name: getattr(self.instance, name) for name in RUN_DAYS} if self.instance.pk else {}
        explain_days(self, self.stored_days)
        self.initial["is_free"] = "yes" if self.instance.is_free else "no"
        self.fields["start_date"].help_text = gettext(
            "A day without a time begins at midnight. Time zone: %(zone)s."
        ) % {"zone": timezone.get_current_timezone_name()}
        self.fields["title"].required = False
        self.fields["title"].help_text = _("Leave empty to use the course’s title.")
        if self.instance.pk:
            for name in ("course", "courseware_id"):
                self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        keep_unchanged_moments(self, self.stored_days)
        if cleaned.get("is_free") is None:
            cleaned["is_free"] = self.instance.is_free
        self._check_price(cleaned["is_free"])
        self._check_places(cleaned.get("places"))
        self._check_key(cleaned.get("course"), cleaned.get("courseware_id", ""))
        for first, last, error in (
            ("start_date", "end_date", _("The run can’t end before it starts.")),
            ("enrollment_start", "enrollment_end", _("Enrollment can’t close before it opens.")),
        ):
            start, end = cleaned.get(first), cleaned.get(last)
            if start and end and end < start:
                self.add_error(last, error)
        if cleaned.get("course") and not cleaned.get("title"):
            cleaned["title"] = cleaned["course"].title
        return cleaned

    def save(self, commit: bool = True) -> Any:
        self.instance.run_tag = self.instance.courseware_id.rpartition("+")[2]
        return super().save(commit=commit)

    def _check_price(self, is_free: bool | None) -> None:
        if not is_free or self.instance.pk is None or "is_free" not in self.changed_data:
            return
        product = Product.objects.filter(course_run=self.instance, requires_code=False, price__gt=0).first()
        if product is not None:
            sentence = gettext("It has a price: %(price)s (%(sku)s). Finance has to set that to 0 first.")
            self.add_error("is_free", sentence % {"price": product.money.formatted(), "sku": product.sku})

    def _check_places(self, places: int | None) -> None:
        if places is None or self.instance.pk is None or "places" not in self.changed_data:
            return
        if (taken := count_taken(self.instance)) > places:
            sentence = ngettext(
                "%(taken)d place is taken, by a learner, a sold seat or an order. Enter at least %(taken)d.",
                "%(taken)d places are taken, by learners, sold seats and orders. Enter at least %(taken)d.",
                taken,
            )
            self.add_error("places", sentence % {"taken": taken})

    def _check_key(self, course: Course | None, key: str) -> None:
        if course is None or parse_course_key(key) is None or self.instance.pk:
            return
        is_source = key.endswith(f"+{SOURCE_TAG}") and course_number(key) == course.number
        if not is_source and not key.startswith(f"{course.readable_id}+"):
            self.add_error(
                "courseware_id",
                _("The key of a run of this course starts with %(start)s") % {"start": f"{course.readable_id}+"},
            )


class ProgramForm(SiteFormMixin, WagtailAdminModelForm):
    requirements = BlockField(
        block=RequirementsBlock(),
        required=False,
        label=_("Requirements"),
        help_text=_("Every group is required, in this order. A program without courses can’t be taken."),
    )
    site = SiteField(help_text=Program._meta.get_field("site").help_text)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = groups_of(self.instance.pk) if self.instance.pk else []
        self.can_edit_requirements = groups is not None
        self.initial["requirements"] = RequirementsBlock().to_python(_to_raw_data(groups or []))
        if not self.can_edit_requirements:
            self.fields["requirements"].disabled = True
            self.fields["requirements"].help_text = _(
                "This program has groups inside groups, which can’t be changed here. Ask an operator."
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        if self.can_edit_requirements and "requirements" in cleaned:
            site = cleaned.get("site", self.instance.site)
            ids = {pk for group in _to_groups(cleaned["requirements"]) for pk in group.course_ids}
            if others := courses_beyond(ids, site):
                sentence = gettext("These courses aren’t on every site of the program: %(courses)s.")
                self.add_error("requirements", sentence % {"courses": ", ".join(each.title for each in others)})
        return cleaned

    def save(self, commit: bool = True) -> Any:
        program = super().save(commit=commit)
        if commit:  # otherwise the caller saves the program first and then calls save_m2m()
            self._save_requirements()
        return program

    def _save_m2m(self) -> None:
        super()._save_m2m()
        self._save_requirements()

    def _save_requirements(self) -> None:
        if self.can_edit_requirements:
            set_requirements(program=self.instance, groups=_to_groups(self.cleaned_data["requirements"]))


class ShortNameForm(WagtailAdminModelForm):
    """Makes the short name from the name where none is typed."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        slug = cleaned.get("slug") or slugify(fold(cleaned.get("name", "")))
        if not slug and "slug" not in self.errors:
            self.add_error("slug", _("Write it in the letters a to z, for example “data-analysis”."))
        return cleaned | {"slug": slug}


class DepartmentForm(ShortNameForm):
    """A new department comes last."""

    slug = forms.SlugField(
        label=_("Short name"),
        required=False,
        help_text=_(
            "Part of addresses. It also chooses the colors of the department’s covers. Leave empty to use the name."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            last = Department.objects.aggregate(last=Max("position"))["last"]
            self.initial["position"] = 0 if last is None else last + 1


class TopicForm(ShortNameForm):
    slug = forms.SlugField(
        label=_("Short name"), required=False, help_text=_("Part of addresses. Leave empty to use the name.")
    )


def _to_raw_data(groups: list[Group]) -> list[dict[str, Any]]:
    return [
        {
            "type": str(group.kind.value),
            "value": {"title": group.title, "courses": list(group.course_ids)}
            | ({} if group.at_least is None else {"at_least": group.at_least}),
        }
        for group in groups
    ]


def _to_groups(stream: Any) -> list[Group]:
    return [
        Group(
            title=block.value["title"],
            course_ids=tuple(course.pk for course in block.value["courses"]),
            at_least=block.value.get("at_least"),
        )
        for block in stream
    ]
