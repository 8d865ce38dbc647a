"""Settings of web processes that tests and benches start: the tests' own, with a cache and broker they share."""

import os

from mitxonline.settings import test

globals().update({name: getattr(test, name) for name in dir(test) if name.isupper()})

CACHES = {
    "default": {
        "BACKEND": "mitxonline.cache.ForgivingRedisCache",
        "LOCATION": os.environ["REDIS_URL"],
        "KEY_PREFIX": os.environ["TEST_CACHE_PREFIX"],
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}
DATABASES["default"]["CONN_MAX_AGE"] = 60  # type: ignore[name-defined]  # noqa: F821
STRIPE_ACCOUNTS = {"": {"secret_key": "sk_test_of_the_tests", "webhook_secrets": []}}
STRIPE_API_BASE = os.environ["TEST_STRIPE_API_BASE"]
PAYMENT_GATEWAYS = ["ecommerce.gateways.stripe.StripeGateway"]
