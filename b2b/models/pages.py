"""The pages of organizations and contracts, as editors write them.

They have no counters, no states and no `save()`, because publishing an old draft overwrites every column of a page.
What the system counts is in `ContractTerms` and the tables beside it.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel, TitleFieldPanel
from wagtail.fields import RichTextField
from wagtail.models import Page, PagePermissionTester

from b2b.enums import IntegrationType
from mitxonline.kernel.money import currency_problem, minor_digits, read_currency
from mitxonline.kernel.shop import current_shop
from mitxonline.staff.days import ScheduledPageForm

DEFAULT_PREFIX = "UAI_"
ORG_KEY_LENGTH = 30
_NOT_IN_A_KEY = re.compile(r"[^A-Za-z0-9_.-]")
# Enough for any customer, and it keeps a typo from creating a billion codes.
MAX_SEATS = 1_000_000
# The first and last moment of these days exist in every time zone, in the database and in Python.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)
RICH_TEXT = ["bold", "italic", "link", "ul", "ol"]

validate_org_key = RegexValidator(
    r"\A[A-Za-z0-9_.-]+\Z",
    _("An organization key has only letters without accents, digits, “_”, “.” and “-”: course keys contain it."),
)


def name_essence(name: str) -> str:
    """Return the name without case, spaces and punctuation, for comparison."""
    return "".join(char for char in unicodedata.normalize("NFKC", name).casefold() if char.isalnum())


def organizations_with_key(key: str) -> models.QuerySet[OrganizationPage]:
    """Return organizations with this key in any case: Open edX ignores case when it compares course keys."""
    found: models.QuerySet[OrganizationPage] = OrganizationPage.objects.filter(org_key__iexact=key)
    return found


def organization_named_like(name: str, *, but: int | None = None) -> OrganizationPage | None:
    """Return the first organization, except `but`, whose name differs only in case, spaces and punctuation."""
    essence = name_essence(name)
    others: models.QuerySet[OrganizationPage] = OrganizationPage.objects.exclude(pk=but).order_by("pk")
    for other in others.only("name", "org_key"):
        if essence and name_essence(other.name) == essence:
            return other
    return None


def free_org_key(name: str) -> str:
    """Make a key from the characters a course key may have, unique by a number; empty if none is left."""
    base = _NOT_IN_A_KEY.sub("", unicodedata.normalize("NFKD", name))[:ORG_KEY_LENGTH]
    if not any(char.isalnum() for char in base):
        return ""
    taken = {key.casefold() for key in OrganizationPage.objects.values_list("org_key", flat=True)}
    key, number = base, 1
    while key.casefold() in taken:
        number += 1
        key = f"{base[: ORG_KEY_LENGTH - len(str(number))]}{number}"
    return key


def default_currency() -> str:
    return current_shop().currency


class ContractRights(PagePermissionTester):
    """Page permissions, which count here only together with the permission to change contracts.

    Editors may write anywhere on the site, and must not be able to change contract terms that way.
    """

    def __init__(self, user: Any, page: Page) -> None:
        super().__init__(user, page)
        if not user.has_perm("b2b.change_contractpage"):
            self.permissions: set[str] = set()


class Unmoderated:
    """Keep workflows away from these pages: approving one would publish a contract without showing its plan."""

    has_workflow = False
    workflow_in_progress = False
    current_workflow_state = None

    def get_workflow(self) -> None:
        """Return None even if the site has a workflow for all pages."""


class NotPublic:
    """Keep the address from Wagtail: staff would be offered “View live”, which is for members or no one.

    Nor does Wagtail redirect from an old address, by which anyone could tell that there is such an organization.
    """

    def get_url_parts(self, *args: Any, **kwargs: Any) -> None:
        """Return None, which is Wagtail's word for a page without an address."""


class OrganizationIndexPage(Unmoderated, NotPublic, Page):
    """The parent of all organizations. Visitors get 404."""

    max_count = 1  # that staff create; `create_or_update_site` makes one for each further site
    subpage_types = ["b2b.OrganizationPage"]
    parent_page_types = ["cms.HomePage"]
    preview_modes: list[Any] = []

    class Meta:
        verbose_name = _("organizations")

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Raise 404, so that no one can see who our customers are."""
        raise Http404

    def permissions_for_user(self, user: Any) -> ContractRights:
        return ContractRights(user, self)


class OrganizationPage(Unmoderated, NotPublic, Page):
    """An organization that buys seats: what its members read about it, and its keys."""

    name = models.CharField(_("name"), max_length=255)
    org_key = models.CharField(
        _("organization key"),
        max_length=ORG_KEY_LENGTH,
        unique=True,
        blank=True,
        validators=[validate_org_key],
        help_text=_(
            "Part of course keys. Leave empty to create it from the name. It can’t be changed once there are runs."
        ),
    )
    org_key_prefix = models.CharField(
        _("prefix of course keys"),
        max_length=ORG_KEY_LENGTH,
        blank=True,
        default=DEFAULT_PREFIX,
        validators=[RegexValidator(r"\A[A-Za-z0-9_.-]*\Z", _("Only letters, digits, “_”, “.” and “-”."))],
    )
    description = RichTextField(_("description"), blank=True, features=RICH_TEXT)
    logo = models.ForeignKey(
        "wagtailimages.Image",
        verbose_name=_("logo"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    add_code_learners_to_sso = models.BooleanField(
        _("add people who joined by code to the organization in Keycloak"),
        default=False,
        help_text=_(
            "At their next sign-in they get a seat in each of the organization’s single sign-on contracts that is free "
            "and has seats left. People who joined by code earlier are added too."
        ),
    )

    # Set once a person has confirmed that the similar names are two organizations (the command's --create).
    allows_similar_name = False

    parent_page_types = ["b2b.OrganizationIndexPage"]
    subpage_types = ["b2b.ContractPage"]
    template = "b2b/organization_page.html"

    # A draft may be incomplete, but it needs the name that tells organizations apart.
    content_panels = [
        TitleFieldPanel("title", targets=["slug", "name"]),
        FieldPanel("name", required_on_save=True),
        FieldPanel("logo"),
        FieldPanel("description"),
        MultiFieldPanel(
            [
                FieldPanel("org_key"),
                FieldPanel("org_key_prefix"),
                FieldPanel("add_code_learners_to_sso"),
            ],
            heading=_("Keys"),
        ),
    ]
    promote_panels = [FieldPanel("slug")]
    # No schedule: if an organization expired, its contracts would stay in force.
    settings_panels: list[Any] = []

    class Meta:
        verbose_name = _("organization")
        verbose_name_plural = _("organizations")
        constraints = [
            models.UniqueConstraint(
                Lower("org_key"),
                name="organization_key_once_in_any_case",
                violation_error_message=_("Another organization has this key; capitals don’t tell keys apart."),
            ),
            models.CheckConstraint(
                condition=~Q(org_key=""),
                name="organization_has_a_key",
                violation_error_message=_("The organization needs a key."),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.title

    def clean(self) -> None:
        """Refuse keys and names of other organizations, and a change of the key once course keys contain it."""
        super().clean()
        self.org_key = self.org_key or free_org_key(self.name)
        if not self.org_key:
            sentence = _("“%(name)s” has no characters that a course key may have. Enter a key.")
            raise ValidationError({"org_key": sentence % {"name": self.name}})
        self._refuse_taken_key()
        self._refuse_known_name()
        is_changed = OrganizationPage.objects.filter(pk=self.pk).exclude(org_key=self.org_key).exists()
        if is_changed and self.terms.filter(page__contract_runs__isnull=False).exists():
            raise ValidationError({"org_key": _("Course keys of runs contain this key, so it can’t be changed.")})

    def _refuse_taken_key(self) -> None:
        other = organizations_with_key(self.org_key).exclude(pk=self.pk).first()
        if other is not None:
            sentence = _("“%(name)s” already has the key “%(key)s”. Choose another one.")
            raise ValidationError({"org_key": sentence % {"key": other.org_key, "name": other.name}})

    def _refuse_known_name(self) -> None:
        """Refuse a name that another organization has, exactly or nearly; an unchanged name passes."""
        stored = OrganizationPage.objects.filter(pk=self.pk).values_list("name", flat=True).first()
        if self.allows_similar_name or (stored is not None and name_essence(stored) == name_essence(self.name)):
            return
        other = organization_named_like(self.name, but=self.pk)
        if other is not None:
            if other.name == self.name:
                sentence = _("An organization named “%(name)s” already exists. Choose another name.")
            else:
                sentence = _(
                    "An organization with nearly this name exists: “%(name)s”. Use it, or choose a name that tells "
                    "them apart."
                )
            raise ValidationError({"name": sentence % {"name": other.name}})

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Serve the page to members, at whatever address it is kept; everyone else gets 404."""
        if not self.memberships.filter(user_id=request.user.pk).exists():
            raise Http404
        response: HttpResponse = super().serve(request, *args, **kwargs)
        return response

    def permissions_for_user(self, user: Any) -> ContractRights:
        return ContractRights(user, self)


class ContractPage(Unmoderated, NotPublic, Page):
    """The terms of a contract as an editor wrote them. The terms in force are in `ContractTerms`."""

    base_form_class = ScheduledPageForm

    name = models.CharField(_("name"), max_length=255)
    description = RichTextField(_("description"), blank=True, features=RICH_TEXT)
    welcome_message = models.CharField(_("welcome"), max_length=255, blank=True)
    welcome_message_extra = RichTextField(_("more of the welcome"), blank=True, features=RICH_TEXT)
    integration_type = models.CharField(
        _("how people join"), max_length=20, choices=IntegrationType, default=IntegrationType.NON_SSO
    )
    active = models.BooleanField(_("active"), default=True)
    contract_start = models.DateField(_("first day"), null=True, blank=True)
    contract_end = models.DateField(
        _("last day"), null=True, blank=True, help_text=_("The contract can be used through this day.")
    )
    max_learners = models.PositiveIntegerField(
        _("seats"), null=True, blank=True, help_text=_("Empty or 0 means no limit.")
    )
    enrollment_fixed_price = models.DecimalField(
        _("price for each learner and course"),
        max_digits=12,
        decimal_places=3,
        null=True,
        blank=True,
        help_text=_("Empty or 0 means free for the learner."),
    )
    currency = models.CharField(_("currency"), max_length=3, default=default_currency)
    codes_only_for_assignee = models.BooleanField(_("codes work only for the address they were sent to"), default=False)

    parent_page_types = ["b2b.OrganizationPage"]
    subpage_types: list[str] = []
    template = "b2b/contract_page.html"

    content_panels = [
        TitleFieldPanel("title", targets=["slug", "name"]),
        FieldPanel("name", required_on_save=True),
        FieldPanel("description"),
        MultiFieldPanel(
            [FieldPanel("welcome_message"), FieldPanel("welcome_message_extra")],
            heading=_("For members"),
        ),
        MultiFieldPanel(
            [
                FieldPanel("integration_type"),
                FieldPanel("max_learners"),
                FieldPanel("enrollment_fixed_price"),
                FieldPanel("currency"),
                FieldPanel("codes_only_for_assignee"),
            ],
            heading=_("Learners"),
        ),
        MultiFieldPanel(
            [FieldPanel("active"), FieldPanel("contract_start"), FieldPanel("contract_end")],
            heading=_("Availability"),
        ),
    ]
    promote_panels = [FieldPanel("slug")]

    class Meta:
        verbose_name = _("contract")
        verbose_name_plural = _("contracts")
        constraints = [
            models.CheckConstraint(
                condition=Q(enrollment_fixed_price__isnull=True) | Q(enrollment_fixed_price__gte=0),
                name="contract_page_price_not_negative",
                violation_error_message=_("The price can’t be negative."),
            ),
            models.CheckConstraint(
                condition=Q(contract_start__isnull=True)
                | Q(contract_end__isnull=True)
                | Q(contract_end__gte=F("contract_start")),
                name="contract_page_ends_after_it_starts",
                violation_error_message=_("The contract can’t end before it starts."),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.title

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Raise 404: members see the contract on their organization's page."""
        raise Http404

    def permissions_for_user(self, user: Any) -> ContractRights:
        return ContractRights(user, self)

    def clean(self) -> None:
        super().clean()
        for name in ("contract_start", "contract_end"):
            day = getattr(self, name)
            if day is not None and not FIRST_DAY <= day <= LAST_DAY:
                sentence = _("Enter a day from %(first)s to %(last)s, or leave it empty.")
                raise ValidationError({name: sentence % {"first": FIRST_DAY, "last": LAST_DAY}})
        if self.contract_start and self.contract_end and self.contract_end < self.contract_start:
            raise ValidationError({"contract_end": _("The contract can’t end before it starts.")})
        self.currency = read_currency(self.currency)
        if (problem := currency_problem(self.currency)) is not None:
            raise ValidationError({"currency": problem})
        price, digits = self.enrollment_fixed_price, minor_digits(self.currency)
        if price is not None and price != round(price, digits):
            sentence = _("Prices in %(currency)s have at most %(digits)d decimals.")
            raise ValidationError({"enrollment_fixed_price": sentence % {"currency": self.currency, "digits": digits}})
        if (self.max_learners or 0) > MAX_SEATS:
            raise ValidationError({"max_learners": _("That’s too many seats. The limit is 1,000,000.")})
