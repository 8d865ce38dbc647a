"""Bring the database up to date and fill it: `python -m dev.embedded.prepare`.

One process for all steps, because loading the project takes longer than most of them. Talk goes to standard
error; on standard output is what the demo content says at its end: who can sign in. `--without-demo` stops before it.
"""

import os
import sys

import django
from django.core.management import call_command


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "mitxonline.settings.dev"
    django.setup()
    call_command("migrate", interactive=False, stdout=sys.stderr)
    call_command("configure_wagtail", stdout=sys.stderr)
    if "--without-demo" not in sys.argv:
        call_command("load_demo")


if __name__ == "__main__":
    main()
