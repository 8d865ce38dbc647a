"""Check whether a site has everything it needs, and say what to do where it doesn't."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from frontend.site.shop_setup import SetupRefused, SiteWish, find_site
from frontend.site.site_check import all_site_ids, check_sites
from mitxonline.kernel import clock
from mitxonline.kernel.console import Column, OperatorCommand, add_format_option, write_rows

COLUMNS = (
    Column("site", "Site"),
    Column("system", "System"),
    Column("subject", "Subject"),
    Column("state", "State"),
    Column("sentence", "Sentence"),
)


class Command(OperatorCommand):
    help = (
        "Contacts the course site, identity providers, payment gateways, mail server, broker, cache, storage, worker "
        "and the site itself by its public address, and prints a sentence for each. Changes nothing. The exit status "
        "is 1 if something needs fixing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--site-id", type=int, help="only this site; default: all")
        parser.add_argument("--site-domain", default="", help="only the site with this domain")
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        site_ids = _choose_sites(SiteWish(options["site_id"], options["site_domain"].strip()))
        findings = check_sites(site_ids, now=clock.now(), seconds=3 * settings.REMOTE_CALL_SECONDS)
        rows = [tuple(each.to_row().values()) for each in findings]
        write_rows(self.stdout, rows, columns=COLUMNS, style=options["format"])
        if bad := [each for each in findings if each.needs_fixing]:
            n = len(bad)
            sentence = ngettext("%(n)d thing needs fixing. %(first)s", "%(n)d things need fixing. First: %(first)s", n)
            raise CommandError(sentence % {"n": n, "first": bad[0].finding.sentence})
        self.say(_("Everything this site needs is there."))


def _choose_sites(wish: SiteWish) -> list[int]:
    if wish.site_id is None and not wish.domain:
        return all_site_ids()
    try:
        site = find_site(wish)
    except SetupRefused as refused:
        raise CommandError(str(refused)) from refused
    if site is None:
        raise CommandError(_("There is no such site. Leave the option out to check all of them."))
    return [site.pk]
