"""Finding organizations by what people call them, and creating them once."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils.text import slugify
from django.utils.translation import gettext as _
from wagtail.models import Site

from b2b.errors.contracts import SiteMissing, TermsInvalid
from b2b.errors.organizations import (
    OrganizationUnclear,
    OrganizationUnknown,
    OrgKeyDiffers,
    OrgKeyImpossible,
    OrgKeyTaken,
    SimilarOrganization,
)
from b2b.models import OrganizationIndexPage, OrganizationPage
from b2b.models.pages import (
    ORG_KEY_LENGTH,
    free_org_key,
    organization_named_like,
    organizations_with_key,
    validate_org_key,
)
from b2b.services.contracts.pages import add_child, lock_page, publish_new
from mitxonline.users.models import User

INDEX_SLUG = "organizations"


def ensure_organization_index() -> OrganizationIndexPage:
    """Return the page that has all organizations below it, created below the home page if it is missing.

    Raises SiteMissing where there is no site yet.
    """
    if (index := _find_index()) is not None:
        return index
    site = Site.objects.filter(is_default_site=True).first()
    if site is None:
        raise SiteMissing
    with transaction.atomic():
        lock_page(site.root_page_id)
        return _find_index() or create_organization_index(site.root_page_id)


def create_organization_index(home_id: int) -> OrganizationIndexPage:
    """Create the page below a site's home page, so that its address exists there too."""
    with transaction.atomic():
        page = add_child(
            parent_id=home_id,
            make=lambda: OrganizationIndexPage(title=_("Organizations"), slug=INDEX_SLUG, live=False),
        )
        publish_new(page, user=None)
    created: OrganizationIndexPage = OrganizationIndexPage.objects.get(pk=page.pk)
    return created


def find_organization(text: str) -> OrganizationPage:
    """Find the organization with this id, name, slug or key. Case counts only where it tells two apart.

    Raises OrganizationUnknown, OrganizationUnclear.
    """
    wanted = text.strip()
    by_text = Q(name__iexact=wanted) | Q(slug__iexact=wanted) | Q(org_key__iexact=wanted)
    by_id = Q(pk=int(wanted)) if wanted.isascii() and wanted.isdigit() and len(wanted) < 18 else Q()
    found = list(OrganizationPage.objects.filter(by_text | by_id).order_by("pk"))
    exact = [each for each in found if wanted in {str(each.pk), each.name, each.slug, each.org_key}]
    found = exact or found
    if not found:
        raise OrganizationUnknown(text=text)
    if len(found) > 1:
        raise OrganizationUnclear(text=text, ids=tuple(each.pk for each in found))
    organization: OrganizationPage = found[0]
    return organization


@dataclass(frozen=True, slots=True)
class OrganizationRequest:
    """Find the organization of this name, key or slug, or create it.

    ``create`` creates it although another one has almost the same name; ``org_key`` is its key then, made from the name
    where it is empty.
    """

    name: str
    create: bool = False
    org_key: str = ""


def ensure_organization(request: OrganizationRequest, *, user: User | None = None) -> tuple[OrganizationPage, bool]:
    """Return the organization of the request, created if there is none, and whether it is new.

    Raises SimilarOrganization, OrgKeyTaken, OrgKeyDiffers, OrgKeyImpossible, OrganizationUnclear, TermsInvalid.
    """
    existing, _key = choose_organization(request)
    if existing is not None:
        return existing, False
    index = ensure_organization_index()
    with transaction.atomic():
        lock_page(index.pk)
        # Looked up again under the lock: of two commands with the same new name, the second finds the first's page.
        existing, key = choose_organization(request)
        if existing is not None:
            return existing, False
        title = request.name.strip()

        def make() -> OrganizationPage:
            page = OrganizationPage(
                title=title, name=title, org_key=key, slug="" if slugify(title) else slugify(key), live=False
            )
            page.allows_similar_name = request.create
            return page

        page = add_child(parent_id=index.pk, make=make)
        publish_new(page, user=user)
    return OrganizationPage.objects.get(pk=page.pk), True


def choose_organization(request: OrganizationRequest) -> tuple[OrganizationPage | None, str]:
    """Return the organization of the request and its key, or None and the key a new one would get.

    Raises what ``ensure_organization`` raises.
    """
    if (existing := find_existing_organization(request.name, org_key=request.org_key)) is not None:
        return existing, existing.org_key
    if not request.create:
        refuse_if_similar(request.name)
    key = request.org_key or new_org_key(request.name)
    refuse_if_impossible(key)
    refuse_if_taken(key)
    return None, key


def find_existing_organization(name: str, *, org_key: str = "") -> OrganizationPage | None:
    """Find an organization by its exact name, else by its key or slug.

    Raises TermsInvalid for an empty name, OrganizationUnclear, and OrgKeyDiffers where its key isn't ``org_key``.
    """
    wanted = name.strip()
    if not wanted:
        raise TermsInvalid(reason=_("An organization needs a name."))
    by_name = list(OrganizationPage.objects.filter(name=wanted).order_by("pk"))
    found = by_name or list(OrganizationPage.objects.filter(Q(org_key=wanted) | Q(slug=wanted)).order_by("pk"))
    if len(found) > 1:
        raise OrganizationUnclear(text=wanted, ids=tuple(each.pk for each in found))
    if found and org_key and org_key != found[0].org_key:
        raise OrgKeyDiffers(organization=found[0].name, key=found[0].org_key)
    return found[0] if found else None


def refuse_if_similar(name: str) -> None:
    """Raise SimilarOrganization if another organization's name differs only in case, spaces and punctuation."""
    other = organization_named_like(name)
    if other is not None:
        raise SimilarOrganization(name=name.strip(), similar=other.name, organization_id=other.pk)


def refuse_if_impossible(key: str) -> None:
    """Raise TermsInvalid if the key can't be part of course keys."""
    if len(key) > ORG_KEY_LENGTH:
        sentence = _("The organization key “%(key)s” is longer than %(most)d characters.")
        raise TermsInvalid(reason=sentence % {"key": key, "most": ORG_KEY_LENGTH})
    try:
        validate_org_key(key)
    except ValidationError as invalid:
        raise TermsInvalid(reason=" ".join(invalid.messages)) from invalid


def refuse_if_taken(key: str) -> None:
    """Raise OrgKeyTaken if another organization has the key, in any case."""
    other = organizations_with_key(key).first()
    if other is not None:
        raise OrgKeyTaken(key=key, organization=other.name)


def new_org_key(name: str) -> str:
    """Make a key of the letters of the name that a course key may have, unique by a number. Raises OrgKeyImpossible."""
    key = free_org_key(name)
    if not key:
        raise OrgKeyImpossible(name=name)
    return key


def _find_index() -> OrganizationIndexPage | None:
    index: OrganizationIndexPage | None = OrganizationIndexPage.objects.order_by("pk").first()
    return index
