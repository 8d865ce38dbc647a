"""What our backends of social-core share: the errand of a sign-in, calls with a deadline, rights that end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import requests
from django.http import HttpResponse
from social_core.backends.oauth import BaseOAuth2PKCE
from social_core.exceptions import AuthProviderError
from social_core.utils import http_error, redact_request_error, user_agent

from mitxonline.kernel.remote import RemoteAway, RemoteSession
from mitxonline.users.sso.identity import ProviderIdentity
from mitxonline.users.sso.rights import ProvenRightsMixin


@dataclass(frozen=True, slots=True)
class Errand:
    """What a sign-in is for: the page to go to afterwards, and the signed-in person who asked to be connected.

    It is kept in the session under the sign-in's own state, so two windows don't mix up their errands.
    """

    next_page: str = ""
    connects: int | None = None


class ProviderBackend(ProvenRightsMixin, BaseOAuth2PKCE[HttpResponse]):
    """A provider that speaks OAuth 2. A state of social-core's OAuth 2 is good for one return."""

    errand = Errand()
    # The pipeline sets it for the view that signs the person in.
    signed_in_as: ProviderIdentity
    # From OpenID Connect: the session at the provider, and the token that it wants to see at sign-out.
    sid = ""
    raw_id_token = ""

    def identity(self, response: Mapping[str, Any]) -> ProviderIdentity:
        raise NotImplementedError

    def roles(self, response: Mapping[str, Any]) -> frozenset[str]:
        raise NotImplementedError

    def staff_roles(self) -> Mapping[str, list[str]]:
        """Return the groups and rights that each role gives here."""
        raise NotImplementedError

    def logout_url(self, *, id_token: str, back_to: str) -> str:
        """Return the address that ends the session at the provider, or an empty string if there is none."""
        raise NotImplementedError

    def get_user_id(self, details: Any, response: Mapping[str, Any]) -> str:
        return self.identity(response).uid

    def request(
        self, url: str, *, timeout: float | None = None, stage: Any = "user_info", **question: Any
    ) -> requests.Response:
        """Call the provider within the patience of a page, and through its breaker.

        Replaces social-core's method, whose time limit is per byte. Raises AuthProviderError with the same codes.
        """
        headers = {"User-Agent": user_agent(), **(question.pop("headers", None) or {})}
        try:
            answer = _session(self.name).request(question.pop("method", "GET"), url, headers=headers, **question)
            answer.raise_for_status()
        except requests.HTTPError as error:
            redact_request_error(error, request_url=url)
            raise http_error(self, error, stage=stage) from error
        except requests.RequestException as error:
            redact_request_error(error, request_url=url)
            code = "connection_failed"
            if isinstance(error, requests.exceptions.SSLError):
                code = "tls_error"
            elif isinstance(error, requests.Timeout | RemoteAway):
                code = "timeout"
            raise AuthProviderError(self, code=code, stage=stage) from error
        return answer

    def get_or_create_state(self) -> str | None:
        state: str | None = super().get_or_create_state()
        if state is not None:
            key = self.transaction_key(state)
            self.strategy.session_set(key, {**self.strategy.session_get(key), "errand": asdict(self.errand)})
        return state

    def validate_state(self) -> str | None:
        state: str | None = super().validate_state()
        self.errand = _read_errand(self._oauth2_transaction)
        return state

    def pending_errand(self) -> Errand:
        """Return the errand of the current request even if its state no longer holds, for the page about a failure."""
        state = self.get_request_state()  # type: ignore[no-untyped-call]
        transaction = self.strategy.session_get(self.transaction_key(state)) if isinstance(state, str) else None
        return _read_errand(transaction) if transaction else self.errand


@cache
def _session(name: str) -> RemoteSession:
    return RemoteSession(name)


def _read_errand(transaction: Any) -> Errand:
    content = transaction.get("errand") if isinstance(transaction, dict) else None
    return Errand(**content) if isinstance(content, dict) else Errand()
