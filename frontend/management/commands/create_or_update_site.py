"""Set up a site and its shop: partner, course site, clients, payment processors, sender."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django.http.request import validate_host
from django.utils.translation import gettext as _
from wagtail.models import Site

from ecommerce.models.shop_settings import CLIENTS
from ecommerce.services.shops import SECRETS, ShopChange
from frontend.management.secrets import read_secrets
from frontend.site.shop_setup import SetupRefused, SetUpSite, ShopRefused, SiteWish, set_up_site
from mitxonline.kernel.console import Column, OperatorCommand, add_format_option, write_rows
from mitxonline.kernel.hosts import is_placeholder
from mitxonline.kernel.shop import Shop, default_shop, forget_shops, shop_of_site
from mitxonline.kernel.text import split_list

COLUMNS = (Column("setting", "Setting"), Column("before", "Before"), Column("after", "After"))


@dataclass(frozen=True, slots=True)
class Value:
    """An option that sets a value of the shop; ``source`` says where to find it."""

    option: str
    field: str
    help: str
    source: str = ""

    @property
    def flag(self) -> str:
        return f"--{self.option}"

    @property
    def variable(self) -> str:
        return self.option.replace("-", "_").upper()

    @property
    def is_secret(self) -> bool:
        return self.field in SECRETS


APPLICATIONS = "the LMS’s admin, /admin/oauth2_provider/application/"
VALUES = (
    Value("partner-code", "partner_code", "up to 8 letters and digits; order numbers begin with it", "choose one"),
    Value("partner-name", "partner_name", "who sells here"),
    Value("lms-url-root", "lms_url_root", "the LMS, as this server reaches it", "the LMS’s address"),
    Value("lms-public-url-root", "lms_public_url_root", "the LMS for browsers, if that is another address"),
    Value(
        "payment-processors", "payment_processors", "gateways with commas, the first one first; default: all configured"
    ),
    Value("sso-client-id", "sso_client_id", "the sign-in client", f"{APPLICATIONS}, grant type “authorization code”"),
    Value("sso-client-secret", "sso_client_secret", "its secret", "the same application, shown when it is created"),
    Value(
        "backend-service-client-id",
        "backend_service_client_id",
        "the backend client",
        f"{APPLICATIONS}, grant type “client credentials”",
    ),
    Value(
        "backend-service-client-secret",
        "backend_service_client_secret",
        "its secret",
        "the same application, shown when it is created",
    ),
    Value("from-email", "from_email", "sender of e-mails", "an address that your mail server may send from"),
    Value("payment-support-email", "support_email", "e-mail for questions about orders"),
    Value("payment-support-url", "support_url", "page for questions about orders"),
    Value("base-cookie-domain", "base_cookie_domain", "domain of this site and the LMS"),
    Value("discovery-api-url", "discovery_api_url", "the discovery service, kept for reference"),
    Value("currencies", "currencies", "currencies with commas, the usual one first"),
    Value("order-number-prefix", "order_number_prefix", "how order numbers begin; default: the partner code"),
    Value("receipt-text", "receipt_text", "printed on receipts below the amounts"),
    Value("refund-window-days", "refund_window_days", "days to request a refund; 0: never"),
)
BY_FIELD = {value.field: value for value in VALUES}
BY_OPTION = {value.option: value for value in VALUES}

MOST_DAYS = 3650

NO_SEGMENT = (
    "--segment-key: this shop has no trackers. Its pages load no scripts of others, and its content security policy "
    "refuses them. Leave the option out; docs/operations.md says how to measure the site."
)
NO_MICROFRONTEND = (
    "The cart and the checkout are pages of this site, so no microfrontend can replace them. Ignored: {}."
)
# Accepted from command lines of other shops, and what is said of each.
IGNORED = {
    "enable_enrollment_codes": "Groups can always buy registration codes. Ignored: --enable-enrollment-codes.",
    "send_refund_notifications": "Buyers always get e-mails about refunds. Ignored: --send-refund-notifications.",
    "disable_otto_receipt_page": "The receipt is a page of this site. Ignored: --disable-otto-receipt-page.",
    "enable_microfrontend_for_basket_page": NO_MICROFRONTEND.format("--enable-microfrontend-for-basket-page"),
    "payment_microfrontend_url": NO_MICROFRONTEND.format("--payment-microfrontend-url"),
}


class Command(OperatorCommand):
    help = (
        "Set up a site and its shop. What isn’t given stays as it is. Secrets come from the environment "
        "(SSO_CLIENT_SECRET, BACKEND_SERVICE_CLIENT_SECRET), --secrets-file or standard input. Safe to run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        site = parser.add_argument_group("site")
        site.add_argument("--site-id", type=int, help="of a site that exists; default: the one with the domain")
        site.add_argument(
            "--site-domain", default="", help="the site’s host, which may have a port; a new one is created"
        )
        site.add_argument("--site-name", default="", help="the site’s name in the admin")
        shop = parser.add_argument_group("shop")
        for value in VALUES:
            names = [value.flag, "--discovery_api_url"] if value.option == "discovery-api-url" else [value.flag]
            shop.add_argument(*names, dest=value.field, help=_escape(value.help), **_options_of(value))
        shop.add_argument(
            "--secrets-file",
            metavar="FILE",
            default="",
            help="lines like SSO_CLIENT_SECRET=...; - is standard input",
        )
        shop.add_argument("--unset", action="append", default=[], metavar="NAME", help="clear a value; repeatable")
        _add_foreign_arguments(parser.add_argument_group("of other shops"))
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["segment_key"]:
            raise CommandError(NO_SEGMENT)
        wish = SiteWish(options["site_id"], options["site_domain"].strip(), options["site_name"].strip())
        values, unset = self._read_values(options)
        done = self._set_up(wish, values, unset, dry_run=options["dry_run"])
        rows = [_row(change) for change in done.changes]
        if rows or options["format"] != "table":
            write_rows(self.stdout, rows, columns=COLUMNS, style=options["format"])
        for note in (*self._notes(options, done), *done.notes):
            self.say(note)
        self.say(_summarize(done, dry_run=options["dry_run"]))

    def _read_values(self, options: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
        """Return the values by their fields, and which of them are cleared."""
        secrets = [value for value in VALUES if value.is_secret]
        stored = read_secrets([value.variable for value in secrets], path=options["secrets_file"])
        values: dict[str, Any] = {each.field: stored[each.variable] for each in secrets if each.variable in stored}
        for value in VALUES:
            given = options[value.field]
            if given is None:
                continue
            if value.is_secret:
                sentence = _(
                    "Warning: %(option)s on the command line stays in the shell’s history, and others on this machine "
                    "can read it. Use the variable %(variable)s or --secrets-file instead."
                )
                self.say(sentence % {"option": value.flag, "variable": value.variable})
            values[value.field] = given.strip() if isinstance(given, str) else given
        unset = {_field_of(name) for name in options["unset"]}
        if both := sorted(BY_FIELD[name].flag for name in unset & values.keys() if options[name] is not None):
            raise CommandError(_("%(options)s: given and cleared at once.") % {"options": ", ".join(both)})
        for field in unset:
            values[field] = None if field == "refund_window_days" else ""
            if field in CLIENTS:
                values[CLIENTS[field]] = ""
        _refuse_foreign_processor(options["client_side_payment_processor"], values.get("payment_processors"))
        return values, unset

    def _set_up(self, wish: SiteWish, values: dict[str, Any], unset: set[str], *, dry_run: bool) -> SetUpSite:
        try:
            with transaction.atomic():
                try:
                    done = set_up_site(wish, values)
                except ShopRefused as refused:
                    # Nothing was stored, so what was given isn't in the shop.
                    known = unset | set(refused.problems) | {name for name, value in values.items() if value}
                    shop = refused.shop or shop_of_site(0)
                    sentences = [*refused.sentences, *_name_options(refused.problems), *_list_missing(shop, known)]
                    raise SetupRefused(*sentences) from refused
                if missing := list(_list_missing(done.shop, unset)):
                    raise SetupRefused(*missing)
                transaction.set_rollback(dry_run)
                return done
        except SetupRefused as refused:
            raise CommandError("\n".join([_("Nothing was changed."), *refused.sentences])) from refused
        finally:
            forget_shops()
            # Wagtail's own was before the end of the transaction, and a page that was shown since had the old ones.
            Site.clear_site_root_paths_cache()

    def _notes(self, options: dict[str, Any], done: SetUpSite) -> Iterator[str]:
        for name, sentence in IGNORED.items():
            if options[name]:
                yield sentence
        if options["client_side_payment_processor"]:
            yield _("Buyers pay on the gateways’ own pages. Ignored: --client-side-payment-processor.")
        site = done.site
        if not validate_host(site.hostname, settings.ALLOWED_HOSTS):
            sentence = _("Add %(host)s to ALLOWED_HOSTS and start the web processes again: until then it isn’t served.")
            yield sentence % {"host": site.hostname}
        if site.is_default_site and urlsplit(settings.SITE_BASE_URL).hostname != site.hostname:
            sentence = _("SITE_BASE_URL is %(url)s, and links in e-mails begin with it. Set it to this site’s address.")
            yield sentence % {"url": settings.SITE_BASE_URL}
        if not site.is_default_site and (default := default_shop().lms_url) != done.shop.lms_url:
            sentence = _(
                "Learners of courses of all sites are enrolled at %(url)s, the default site’s course site. Set the "
                "site of the courses that are at this one’s."
            )
            yield sentence % {"url": default or _("no course site")}


def _options_of(value: Value) -> dict[str, Any]:
    if value.field == "refund_window_days":
        return {"type": read_days, "metavar": "DAYS"}
    return {"metavar": "SECRET" if value.is_secret else "TEXT"}


def _add_foreign_arguments(group: Any) -> None:
    group.add_argument("--segment-key", default="", help="refused: this shop has no trackers")
    group.add_argument("--client-side-payment-processor", default="", help="has no effect")
    for name in ("send-refund-notifications", "disable-otto-receipt-page"):
        group.add_argument(f"--{name}", action="store_true", help="has no effect")
    for name in ("enable-enrollment-codes", "enable-microfrontend-for-basket-page"):
        group.add_argument(f"--{name}", type=read_bool, nargs="?", const=True, default=False, help="has no effect")
    group.add_argument("--payment-microfrontend-url", default="", help="has no effect")


def read_bool(text: str) -> bool:
    """Return what a word says: False and 0 are no."""
    if text.strip().lower() in {"true", "1", "yes", "on"}:
        return True
    if text.strip().lower() in {"false", "0", "no", "off", ""}:
        return False
    raise ArgumentTypeError(_("“%(text)s” is neither true nor false.") % {"text": text})


def read_days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MOST_DAYS):
        raise ArgumentTypeError(_("“%(text)s” isn’t a number of days from 0 to 3,650.") % {"text": text})
    return int(text)


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def _field_of(name: str) -> str:
    option = name.strip().removeprefix("--").replace("_", "-").lower()
    if option not in BY_OPTION:
        sentence = _("--unset: there is no “%(name)s”. Write one of %(names)s.")
        raise CommandError(sentence % {"name": name, "names": ", ".join(BY_OPTION)})
    return BY_OPTION[option].field


def _refuse_foreign_processor(name: str, processors: str | None) -> None:
    if name and processors is not None and name not in split_list(processors):
        sentence = _("--client-side-payment-processor: “%(name)s” isn’t among --payment-processors.")
        raise CommandError(sentence % {"name": name})


def _name_options(problems: Any) -> Iterator[str]:
    for field, sentences in problems.items():
        value = BY_FIELD.get(field)
        yield f"{value.flag if value else field}: {' '.join(sentences)}"


def _list_missing(shop: Shop, known: set[str]) -> Iterator[str]:
    """Say of each value that neither the shop nor the environment has where to find it."""
    has = {
        "partner_code": bool(shop.partner_code),
        "lms_url_root": bool(shop.lms_url and shop.sign_in_url),
        "sso_client_id": bool(shop.sso_client_id),
        "sso_client_secret": bool(shop.sso_client_secret),
        "backend_service_client_id": bool(shop.backend_client_id),
        "backend_service_client_secret": bool(shop.backend_client_secret),
        "from_email": not is_placeholder(shop.sender),
    }
    for field, is_there in has.items():
        value = BY_FIELD[field]
        if is_there or field in known or (value.is_secret and _id_of(field) in known):
            continue
        way = _(" or the variable %(variable)s") % {"variable": value.variable} if value.is_secret else ""
        yield _("%(option)s%(way)s is missing. Where to find it: %(source)s.") % {
            "option": value.flag,
            "way": way,
            "source": value.source,
        }


def _id_of(secret: str) -> str:
    return next(client_id for client_id, each in CLIENTS.items() if each == secret)


def _row(change: ShopChange) -> tuple[str, str, str]:
    value = BY_FIELD.get(change.name)
    return (value.option if value else change.name.replace("_", "-")), change.before, change.after


def _summarize(done: SetUpSite, *, dry_run: bool) -> str:
    names = {"id": done.site.pk or 0, "name": f"{done.site.hostname}:{done.site.port}", "n": len(done.changes)}
    if not done.changes:
        return _("Site %(id)d (%(name)s) is like this already. Nothing to change.") % names
    if dry_run:
        return _("Nothing was written. Site %(name)s would get these %(n)d values.") % names
    return _("Site %(id)d (%(name)s): %(n)d values changed. Check it with check_site.") % names
