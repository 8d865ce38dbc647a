"""Setting up a site: pages, brand, organizations and groups."""

from __future__ import annotations

from django.utils.translation import gettext as _

from b2b.models import OrganizationIndexPage
from b2b.services.organizations.organizations import ensure_organization_index
from cms.models import HomePage
from cms.services.groups import B2B_MANAGERS, EDITORS, FINANCE, RIGHTS, ensure_group
from cms.services.site_setup import configure_site


def configure(*, base_url: str) -> list[str]:
    """Create what the site lacks and return the changes as sentences. Doing it twice changes nothing."""
    is_first_time = not HomePage.objects.exists()
    changes = configure_site(base_url=base_url).changes
    had_organizations = OrganizationIndexPage.objects.exists()
    organizations = ensure_organization_index()
    if not had_organizations:
        changes.append(_("Created the page “%(title)s”.") % {"title": organizations.title})
    home = HomePage.objects.order_by("path").first()
    changes += ensure_group(RIGHTS[EDITORS], pages=[home], renew=is_first_time)
    changes += ensure_group(RIGHTS[FINANCE], pages=[])
    changes += ensure_group(RIGHTS[B2B_MANAGERS], pages=[organizations])
    return changes
