"""`python -m dev.embedded.prepare` migrates the database, sets up the site and loads the demo.

All steps run in one process, because loading the project takes longer than most of them. Only the demo's accounts are
printed. `--without-demo` skips the demo.
"""

import os
import sys
from io import StringIO

import django
from django.core.management import call_command


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "mitxonline.settings.dev"
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("configure_wagtail", stdout=StringIO(), stderr=StringIO())
    if "--without-demo" not in sys.argv:
        call_command("load_demo", stderr=StringIO())


if __name__ == "__main__":
    main()
