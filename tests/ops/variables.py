"""Load the settings with many values of the environment, each in a fork of one process.

Django and the libraries are imported once, so that a load takes milliseconds. `python -m tests.ops.variables` prints a
table of all variables.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging.config
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from babel.core import Locale
from django.conf import Settings
from django.core.exceptions import ImproperlyConfigured

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLE = PROJECT / ".env.example"
MODULES = {"development": "mitxonline.settings.dev", "production": "mitxonline.settings.production"}
KINDS = ("unset", "empty", "example", "nonsense")
NONSENSE = "!! no value of this kind ${HOME} %"
REQUIRED = {
    "SECRET_KEY": "a-key-for-checking-the-settings-which-signs-nothing-at-all-0123456789",
    "ALLOWED_HOSTS": "shop.school.edu",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SITE_BASE_URL": "https://shop.school.edu",
}
# As the sentences in the file give them, where they give one.
EXAMPLES = REQUIRED | {
    "CELERY_BROKER_URL": "amqp://user:password@host:5672//",
    "EMAIL_URL": "smtp+tls://user:password@host:587",
    "DEFAULT_FROM_EMAIL": "Tessera, Inc. <hello@tessera.school.edu>",
    "MEDIA_ROOT": "/data/media",
    "MEDIA_BUCKET": "school-uploads",
    "MEDIA_BUCKET_ENDPOINT": "https://storage.school.edu",
    "MEDIA_BUCKET_REGION": "eu-central-1",
    "TIME_ZONE": "America/New_York",
    "CURRENCIES": "USD,EUR",
    "INVOICE_SERIES": "INV,EDU",
    "CREDIT_NOTE_SERIES": "CN",
    "STRIPE_SECRET_KEY": "sk_live_key",
    "STRIPE_WEBHOOK_SECRETS": "whsec_one,whsec_two",
    "STRIPE_ACCOUNTS": '{"shop.school.edu": {"secret_key": "sk_live_x", "webhook_secrets": ["whsec_x"]}}',
    "STRIPE_API_BASE": "https://api.stripe.com",
    "PAYPAL_ACCOUNTS": '{"shop.example": {"client_id": "a", "client_secret": "b", "webhook_ids": ["c"]}}',
    "PAYPAL_API_BASE": "https://paypal.internal.example",
    "CYBERSOURCE_ENVIRONMENT": "test",
    "CYBERSOURCE_ACCOUNTS": "{}",
    "CYBERSOURCE_API_BASE": "https://apitest.cybersource.com",
    "CYBERSOURCE_PAGE_BASE": "https://testsecureacceptance.cybersource.com",
    "PAYMENT_PAGE_ORIGINS": "https://pay.example.com",
    "KEYCLOAK_STAFF_ROLES": "role=Group+staff,other=superuser",
    "EDX_STAFF_ROLES": "administrator=staff+Editors",
    "CORS_ORIGIN_WHITELIST": "https://portal.school.edu",
    "SIGN_IN_ORIGINS": "https://login.school.edu",
    "SENTRY_DSN": "https://key@sentry.example/1",
    "SENTRY_TRACES_SAMPLE_RATE": "0.5",
    "OPENEDX_API_BASE_URL": "https://lms.school.edu",
    "OPENEDX_BASE_REDIRECT_URL": "https://lms.school.edu",
    "OPENEDX_STUDIO_API_BASE_URL": "https://studio.lms.school.edu",
    "OPENEDX_LEARNING_BASE_URL": "https://apps.lms.school.edu/learning",
    "OPENEDX_SIGN_IN_PATH": "/auth/login/oidc/?auth_entry=login",
    "SECRET_KEY_FALLBACKS": "an-older-key,and-one-before",
    "LOG_LEVEL": "warning",
    "HOST": "127.0.0.2",
    "PORT": "8001",
    "LOCAL_DIR": ".local2",
    "BEAT_SCHEDULE": "/var/run/beat",
    "METRICS_TOKEN": "word-for-prometheus-alone",
    "COMMERCE_APPS_EXTRA": "django.contrib.sites",
    "COMMERCE_EVENT_ROUTES_EXTRA": '{"ecommerce.events.OrderFulfilled": ["tessera_ledger.receivers.record_sale"]}',
}
_ADDRESSES = re.compile(r"_(?:ENDPOINT|ISSUER|ROOT)$|^KEYCLOAK_URL$")
_SWITCHES = re.compile(
    r"^(SERVE_MEDIA|LOCAL_ACCOUNTS|SECURE_.*|(SESSION|CSRF)_.*|CORS_ALLOW_CREDENTIALS|SOCIAL_AUTH_REDIRECT_IS_HTTPS"
    r"|(STRIPE|PAYPAL|CYBERSOURCE)_TEST_MODE|SELL_PARTLY.*|SHARED_PAGES(_LISTEN)?|DEBUG|SQL_LOG)$"
)
_NUMBERS = re.compile(r"SECONDS$|TIMEOUT$|COUNT$|SKEW$|DAYS$|MOST_|WORKERS$|THREADS$|CONCURRENCY$")


def names() -> list[str]:
    return re.findall(r"^([A-Z0-9_]+)=", EXAMPLE.read_text(), re.MULTILINE)


def example_of(name: str) -> str:
    if name in EXAMPLES:
        return EXAMPLES[name]
    if _ADDRESSES.search(name):
        return "https://sso.school.edu/realms/learning"
    if _NUMBERS.search(name):
        return "2"
    return "true" if _SWITCHES.match(name) else "word"


def load(settings: str, name: str, kind: str) -> str:
    """Return "ok", or the sentence with which the settings refuse; what isn't a sentence begins with the exception."""
    value = {"empty": "", "example": example_of(name), "nonsense": NONSENSE}.get(kind)
    variables = dict(REQUIRED) if settings == "production" else {}
    if settings == "production" and name != "STRIPE_TEST_MODE" and name != "STRIPE_SECRET_KEY":
        variables["STRIPE_SECRET_KEY"] = "sk_live_key"
    if settings == "development" and name == "STRIPE_SECRET_KEY" and value:
        value = value.replace("live", "test")
    if settings == "development" and name == "STRIPE_ACCOUNTS" and value:
        value = value.replace("live", "test")
    if name == "STRIPE_TEST_MODE":
        variables["STRIPE_SECRET_KEY"] = "sk_test_key" if kind == "example" else "sk_live_key"
    if settings == "development" and name == "STRIPE_TEST_MODE":
        variables["STRIPE_SECRET_KEY"] = "sk_test_key"
    variables.pop(name, None)
    if value is not None:
        variables[name] = value
    return load_with(settings, variables)


def load_with(settings: str, variables: dict[str, str], *, dotenv: str = "", show: str = "") -> str:
    """Load the settings in a fork with these variables alone; return "ok" or the value of `show`, or the sentence."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        answer = "died"
        try:
            answer = _load(MODULES[settings], variables, dotenv, show)
        finally:
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = json.loads(pipe.read() or '"died"')
    os.waitpid(child, 0)
    return str(answer)


def _load(module: str, variables: dict[str, str], dotenv: str, show: str) -> str:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    os.environ.clear()
    os.environ.update(kept | variables)
    sys.argv = ["manage.py", "check"]  # which needs no server
    for loaded in [each for each in sys.modules if each.startswith("mitxonline.settings")]:
        del sys.modules[loaded]
    warnings.simplefilter("ignore")
    env = importlib.import_module("mitxonline.settings.env")
    if dotenv:
        env.read_dotenv.__defaults__ = (Path(dotenv),)
    else:
        env.read_dotenv.__defaults__ = (Path("/nowhere/.env"),)
    try:
        settings = Settings(module)
        with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
            logging.config.dictConfig(settings.LOGGING)  # type: ignore[attr-defined]
    except ImproperlyConfigured as refusal:
        return str(refusal)
    except BaseException as error:  # noqa: BLE001 - the table shows whatever it is
        return f"{type(error).__name__}: {error}"
    return str(getattr(settings, show)) if show else "ok"


def warm_up() -> None:
    """Import what the settings import, so that forks needn't."""
    for name in (
        "django.conf",
        "environ",
        "celery",
        "structlog",
        "csp.constants",
        "sentry_sdk",
        "babel.core",
        "psycopg",
    ):
        importlib.import_module(name)
    for name in (
        "mitxonline.logs",
        "django_stubs_ext",
        "dev.embedded.servers",
        "dev.embedded.fresh",
        "django.utils.log",
    ):
        importlib.import_module(name)
    assert Locale("en").currencies


def table() -> Iterator[tuple[str, str, str, str]]:
    for name in names():
        for settings in MODULES:
            for kind in KINDS:
                yield name, settings, kind, load(settings, name, kind)


def main() -> int:
    warm_up()
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for name, settings, kind, answer in table():
        rows.setdefault((name, settings), {})[kind] = answer
    bad = 0
    for (name, settings), answers in rows.items():
        cells = ["starts" if answers[kind] == "ok" else "sentence" for kind in KINDS]
        sys.stdout.write(f"{name:40} {settings:12} " + " ".join(f"{cell:9}" for cell in cells) + "\n")
        if answers["nonsense"] != "ok":
            sys.stdout.write(f"    {answers['nonsense']}\n")
        bad += sum(not is_sentence(answer, name) for answer in answers.values())
    return min(bad, 1)


def is_sentence(answer: str, name: str) -> bool:
    return answer == "ok" or (
        name in answer and answer.endswith(".") and not re.match(r"\w+(Error|Exception):", answer)
    )


if __name__ == "__main__":
    sys.exit(main())
