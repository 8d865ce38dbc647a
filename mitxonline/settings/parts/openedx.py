"""The course site: Open edX's LMS and Studio, and the account with which the storefront calls them."""

import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import env, http_address, positive

# The LMS as this machine reaches it. Without it there is no course site: everything sells, and no one is told.
OPENEDX_API_BASE_URL = http_address("OPENEDX_API_BASE_URL")
# The LMS's address for browsers, if it differs.
OPENEDX_BASE_REDIRECT_URL = http_address("OPENEDX_BASE_REDIRECT_URL", OPENEDX_API_BASE_URL)
# Studio, where runs are made. Without it none are.
OPENEDX_STUDIO_API_BASE_URL = http_address("OPENEDX_STUDIO_API_BASE_URL")
# The application of the service worker in the LMS: confidential, client credentials.
OPENEDX_COURSES_SERVICE_WORKER_CLIENT_ID = env.str("OPENEDX_COURSES_SERVICE_WORKER_CLIENT_ID", "")
OPENEDX_COURSES_SERVICE_WORKER_CLIENT_SECRET = env.str("OPENEDX_COURSES_SERVICE_WORKER_CLIENT_SECRET", "")
# Seconds to connect, and for each answer.
OPENEDX_CONNECT_TIMEOUT = 3
OPENEDX_TIMEOUT = positive("OPENEDX_TIMEOUT", 10, least=1)

# The learning front end, whose page of a run is /course/<key>/home below this address.
OPENEDX_LEARNING_BASE_URL = http_address("OPENEDX_LEARNING_BASE_URL")
# Where the LMS signs learners in before it sends them on to `next`.
OPENEDX_SIGN_IN_PATH = env.str("OPENEDX_SIGN_IN_PATH", "")
if OPENEDX_SIGN_IN_PATH and not re.match(r"/[\w/.~%-]*(\?\S*)?$", OPENEDX_SIGN_IN_PATH):
    raise ImproperlyConfigured("OPENEDX_SIGN_IN_PATH isn't a path, such as /auth/login/oidc/?auth_entry=login.")

OPENEDX_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep-course-runs": {
        "task": "courses.tasks.sweep_course_runs",
        "schedule": 120.0,
        "options": {"expires": 120},
    },
    "sync-courseruns": {
        "task": "courses.tasks.sync_courseruns",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
    "sweep-enrollments": {
        "task": "courses.tasks.sweep_enrollments",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "compare-enrollments": {
        "task": "courses.tasks.compare_enrollments",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
}
