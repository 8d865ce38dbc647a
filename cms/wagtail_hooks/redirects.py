"""Redirects that lead back to where they start are refused, typed or imported: browsers would go round in circles."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.core.signing import BadSignature
from django.forms import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.contrib.redirects import views
from wagtail.contrib.redirects.forms import ConfirmImportManagementForm, RedirectForm
from wagtail.contrib.redirects.models import Redirect
from wagtail.models import Site


class SiteRedirectForm(RedirectForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["redirect_link"].error_messages["invalid"] = gettext_lazy(
            "Enter a complete address, such as https://www.example.org/courses/."
        )

    def clean(self) -> Any:
        cleaned = super().clean()
        found = self.cleaned_data
        page, link = found.get("redirect_page"), found.get("redirect_link")
        if found.get("old_path") and (page or link) and not (page and page.live):
            # A page that isn't live answers 404, which is when redirects are looked for.
            start = Redirect.normalise_path(found["old_path"])
            others = Redirect.get_for_site(found.get("site")).exclude(pk=self.instance.pk)
            if leads_back(start, page.url if page else link, others):
                raise ValidationError(_("This redirect would lead back to where it starts. Choose another target."))
        return cleaned


def leads_back(start: str, link: str | None, others: Any) -> bool:
    """Whether someone sent from the path `start` to `link` gets there again, by this or by other redirects."""
    hosts = {site.hostname for site in Site.objects.all()}
    seen = {start}
    while link:
        parts = urlsplit(link)
        if parts.hostname and parts.hostname not in hosts:
            return False
        paths = (Redirect.normalise_path(link), Redirect.normalise_path(parts.path))
        if seen.intersection(paths):
            return True
        seen.add(paths[0])
        following = next(filter(None, (others.filter(old_path=path).first() for path in paths)), None)
        is_followed = following is not None and not (following.redirect_page and following.redirect_page.live)
        link = following.link if following is not None and is_followed else None
    return False


class ImportForm(ConfirmImportManagementForm):
    def clean(self) -> Any:
        for name in ("import_file_name", "input_format"):
            try:
                self.signer.unsign(self.cleaned_data.get(name, ""))
            except BadSignature:
                # Wagtail's own fails on it, because this exception has no `message`.
                raise ValidationError(_("This isn’t the file that was uploaded.")) from None
        return super().clean()


views.ConfirmImportManagementForm = ImportForm
# Wagtail offers no setting for this form, and its import names it too.
views.RedirectForm = views.CreateView.form_class = views.EditView.form_class = SiteRedirectForm
