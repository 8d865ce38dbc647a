"""For the tests."""

from mitxonline.settings.dev import *  # noqa: F403

DEBUG = False
