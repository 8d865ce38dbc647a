from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as site_settings

from tests.support.oidc import FakeProvider
from tests.users.sso.conftest import KEYCLOAK_BACKEND
from tests.users.sso.conftest import provider as sign_in_provider

__all__ = ["sign_in_provider"]


@pytest.fixture
def provider(sign_in_provider: FakeProvider, settings: Any) -> FakeProvider:
    """A provider whose tokens open the API; all else that says who may do what stays."""
    settings.AUTHENTICATION_BACKENDS = [*_BACKENDS, KEYCLOAK_BACKEND]
    settings.API_AUDIENCE = settings.SOCIAL_AUTH_KEYCLOAK_KEY
    return sign_in_provider


_BACKENDS = list(site_settings.AUTHENTICATION_BACKENDS)
