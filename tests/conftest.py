"""What every test may ask for. Each subject has a module of its own under support/."""

from hypothesis import HealthCheck, settings

# How fast this machine makes examples says nothing about what is tested.
settings.register_profile("storefront", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("storefront")

pytest_plugins = [
    "tests.support.databases",
    "tests.support.together",
    "tests.support.broker",
    "tests.support.programs",
    "tests.support.keycloak",
    "tests.support.paypal",
    "tests.support.stripe",
    "tests.support.cybersource",
    "tests.support.silence",
    "tests.support.shops",
    "tests.support.brokers",
    "tests.openedx.fixtures",
]
