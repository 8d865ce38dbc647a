"""For the workers that tests start: the tests' own settings, with a broker two processes can share."""

import os

from mitxonline.settings import test

globals().update({name: getattr(test, name) for name in dir(test) if name.isupper()})

CELERY_BROKER_URL = os.environ["TEST_BROKER_URL"]
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": os.environ["TEST_BROKER_PREFIX"],
    "visibility_timeout": 3600,
}
EVENT_ROUTES = "tests.coordinator.world.ROUTES"
