"""Sites in forms and lists of staff: a field, a filter and a column, where there are several sites."""

from __future__ import annotations

from typing import Any, cast

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column
from wagtail.models import Site

from mitxonline.kernel.shop import has_several_sites

FIELD = "site"


def name_site(site: Site | None) -> str:
    """Name a site by its host, as people know it; without one, all sites."""
    if site is None:
        return _("All sites")
    return f"{site.site_name} ({site.hostname})" if site.site_name else str(site.hostname)


class SiteField(forms.ModelChoiceField[Site]):
    """One site, or empty for all of them."""

    def __init__(self, *, help_text: Any = "") -> None:
        super().__init__(
            queryset=Site.objects.order_by("hostname", "port"),
            label=gettext_lazy("Site"),
            required=False,
            empty_label=cast("str", gettext_lazy("All sites")),
            help_text=help_text,
        )

    def label_from_instance(self, obj: Site) -> str:
        return name_site(obj)


class SiteFormMixin:
    """A form of something that belongs to a site: without several sites it doesn't ask for one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        form: Any = self
        if FIELD in form.fields and not has_several_sites():
            del form.fields[FIELD]


class _SiteFilterField(django_filters.fields.ModelChoiceField):
    def label_from_instance(self, obj: Site) -> str:
        return name_site(obj)


class SiteFilter(django_filters.ModelChoiceFilter):
    """What a site has; with `has_shared`, what all sites have belongs to it."""

    field_class = _SiteFilterField

    def __init__(self, *, has_shared: bool = False, **options: Any) -> None:
        self.has_shared = has_shared
        options.setdefault("label", gettext_lazy("Site"))
        options.setdefault("queryset", Site.objects.order_by("hostname", "port"))
        options.setdefault("empty_label", gettext_lazy("All sites"))
        super().__init__(widget=forms.RadioSelect, **options)

    def filter(self, qs: QuerySet[Any], value: Site | None) -> QuerySet[Any]:
        if not value:
            return qs
        own = Q(**{self.field_name: value})
        return qs.filter(own | Q(**{f"{self.field_name}__isnull": True}) if self.has_shared else own)


class SiteFilterSet(WagtailFilterSet):
    """Filters of a list: without several sites there is none for the site."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_several_sites():
            for name in [name for name, each in self.filters.items() if isinstance(each, SiteFilter)]:
                del self.filters[name]


class SiteColumn(Column):
    """The site that something belongs to. `accessor` leads to it."""

    def __init__(self, *, accessor: str = FIELD, **options: Any) -> None:
        super().__init__("own_site", label=gettext_lazy("Site"), accessor=accessor, **options)

    def get_value(self, instance: Any) -> str:
        return name_site(super().get_value(instance))


class SiteListMixin:
    """A list with a column for the site, which is left out where there is one site."""

    def get_table(self, *args: Any, **kwargs: Any) -> Any:
        view: Any = self
        if not has_several_sites():
            view.columns = [each for each in view.columns if not isinstance(each, SiteColumn)]
        return super().get_table(*args, **kwargs)  # type: ignore[misc]
