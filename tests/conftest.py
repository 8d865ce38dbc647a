"""What every test may ask for. Each subject has a module of its own under support/."""

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
