"""Organizations, contracts, seats and hand-outs."""

from b2b.models.contract_invoice import ContractInvoice
from b2b.models.contract_run import ContractRun
from b2b.models.courseware import ContractCourseware
from b2b.models.group import CompanyList, Helper, ListedSale
from b2b.models.handout import HandOut, HandOutMail
from b2b.models.keycloak import KeycloakJoin, KeycloakOrganization, KeycloakSync, SignInFact
from b2b.models.membership import ContractMembership, OrganizationMembership
from b2b.models.pages import ContractPage, OrganizationIndexPage, OrganizationPage
from b2b.models.reconcile import Reconcile
from b2b.models.seat_request import SeatRequest
from b2b.models.terms import ContractTerms, ContractTermsQuerySet
from b2b.models.withdrawal import Withdrawal

__all__ = [
    "CompanyList",
    "ContractCourseware",
    "ContractInvoice",
    "ContractMembership",
    "ContractPage",
    "ContractRun",
    "ContractTerms",
    "ContractTermsQuerySet",
    "HandOut",
    "HandOutMail",
    "Helper",
    "KeycloakJoin",
    "KeycloakOrganization",
    "KeycloakSync",
    "ListedSale",
    "OrganizationIndexPage",
    "OrganizationMembership",
    "OrganizationPage",
    "Reconcile",
    "SeatRequest",
    "SignInFact",
    "Withdrawal",
]
