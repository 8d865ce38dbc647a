"""Accounts of the demo. Their addresses end in .example, so that no e-mail can reach anyone."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group

from cms.services.groups import B2B_MANAGERS, EDITORS, FINANCE
from mitxonline.users.models import User

PASSWORD = "tessera-demo"  # noqa: S105  # printed for everyone to see; refused in production
COLLEAGUES = 127


@dataclass(frozen=True, slots=True)
class Account:
    email: str
    name: str
    role: str
    group: str = ""
    is_staff: bool = False
    is_superuser: bool = False


ADMIN = Account("admin@tessera.example", "Robin Hale", "Administrator", is_staff=True, is_superuser=True)
EDITOR = Account("editor@tessera.example", "Nils Aune", "Content editor", group=EDITORS)
FINANCE_OFFICER = Account("finance@tessera.example", "Farah Kassem", "Finance", group=FINANCE, is_staff=True)
CONTRACTS = Account("contracts@tessera.example", "Carla Jansen", "Contracts (B2B manager)", group=B2B_MANAGERS)
DANA = Account("dana.whitfield@northgate.example", "Dana Whitfield", "Organization manager, Northgate Health")
AMARA = Account("amara.okafor@northgate.example", "Amara Okafor", "Learner, Northgate Health")
JONAS = Account("jonas.berg@northgate.example", "Jonas Berg", "Learner with a code waiting")
SAM = Account("sam.taylor@larkfield.example", "Sam Taylor", "Learner, Larkfield University")
LEA = Account("lea.moreau@mail.example", "Lea Moreau", "Learner without an organization")
MIRA = Account("mira.costa@harborclinic.example", "Mira Costa", "Buyer for a group, Harbor Clinic")

OSKAR = Account("oskar.lind@brightwater.example", "Oskar Lind", "Organization manager, Brightwater Council")

# Buyers and members of organizations can't sign in: they only fill the lists.
BUYERS = (
    Account("clara.weiss@mail.example", "Clara Weiss", "Buyer"),
    Account("henrik.dahl@mail.example", "Henrik Dahl", "Buyer"),
    Account("priya.raman@mail.example", "Priya Raman", "Buyer"),
    Account("tomas.rivera@mail.example", "Tomás Rivera", "Buyer"),
    Account("ingrid.solberg@mail.example", "Ingrid Solberg", "Buyer"),
    Account("marek.kowal@mail.example", "Marek Kowal", "Buyer"),
    Account("yuki.tanaka@mail.example", "Yuki Tanaka", "Buyer"),
    Account("ola.nordmann@mail.example", "Ola Nordmann", "Buyer"),
    Account("noor.haddad@mail.example", "Noor Haddad", "Buyer"),
)

ACCOUNTS = (ADMIN, EDITOR, FINANCE_OFFICER, CONTRACTS, DANA, AMARA, JONAS, OSKAR, SAM, LEA, MIRA)

_FIRST = (
    "Aiko", "Björn", "Carmen", "Dawit", "Elif", "Femi", "Greta", "Hassan", "Ines", "Jakub", "Kofi", "Lina",
    "Mateo", "Nadia", "Oskar", "Priya",
)  # fmt: skip
_LAST = ("Adeyemi", "Bergström", "Castillo", "Dubois", "Eriksen", "Fischer", "Gallagher", "Horvat")


def account_rows() -> list[tuple[str, str, str, str]]:
    """Return role, name, e-mail and password of each account."""
    return [(account.role, account.name, account.email, PASSWORD) for account in ACCOUNTS]


def ensure_accounts(*, now: datetime) -> dict[str, User]:
    """Return the accounts by address. Existing ones keep their password."""
    password = make_password(PASSWORD)  # once: hashing is slow on purpose
    return {account.email: _ensure_account(account, password, now) for account in ACCOUNTS}


def colleague_names() -> list[str]:
    return [f"{first} {last}" for last in _LAST for first in _FIRST]


def email_of(name: str, domain: str) -> str:
    """Return the address a person of this name has: “Björn Bergström” is bjorn.bergstrom@…"""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return f"{'.'.join(plain.split())}@{domain}"


def ensure_buyers(*, now: datetime) -> None:
    _ensure_people({buyer.email: buyer.name for buyer in BUYERS}, now=now)


def ensure_colleagues(*, now: datetime) -> list[User]:
    """Create Northgate's other members."""
    return ensure_people(colleague_names()[:COLLEAGUES], "northgate.example", now=now)


def ensure_people(names: Sequence[str], domain: str, *, now: datetime) -> list[User]:
    """Create accounts without a password for these names."""
    return _ensure_people({email_of(name, domain): name for name in names}, now=now)


def _ensure_people(emails: Mapping[str, str], *, now: datetime) -> list[User]:
    existing = set(User.objects.filter(email__in=emails).values_list("email", flat=True))
    unusable = make_password(None)
    User.objects.bulk_create(
        [
            User(email=email, name=name, password=unusable, email_verified_at=now)
            for email, name in emails.items()
            if email not in existing
        ]
    )
    return list(User.objects.filter(email__in=emails).order_by("email"))


def _ensure_account(account: Account, password: str, now: datetime) -> User:
    user, is_new = User.objects.get_or_create(
        email=account.email,
        defaults={
            "name": account.name,
            "password": password,
            "is_staff": account.is_staff,
            "is_superuser": account.is_superuser,
            "email_verified_at": now,
        },
    )
    if is_new and account.group:
        user.groups.add(Group.objects.get(name=account.group))
    return user
