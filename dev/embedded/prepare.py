"""`python -m dev.embedded.prepare` migrates the database, sets up the site and loads the demo.

All steps run in one process, because loading the project takes longer than most of them. Progress goes to standard
error and the demo's accounts to standard output. `--without-demo` skips the demo.
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
