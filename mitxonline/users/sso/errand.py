"""What a sign-in was begun for. It travels in the session under the state that the provider hands back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import requests
from django.http import HttpResponse
from social_core.backends.oauth import BaseOAuth2PKCE
from social_core.exceptions import AuthProviderError
from social_core.utils import http_error, redact_request_error, user_agent

from mitxonline.kernel.remote import RemoteAway, RemoteSession
from mitxonline.users.sso.claims import Identity


@dataclass(frozen=True, slots=True)
class Errand:
    """Where to go afterwards, and which signed-in person asked for their account to be connected, if one did.

    Every sign-in has its own: two windows don't mix up where their visitors wanted to go.
    """

    next_page: str = ""
    connects: int | None = None


class ErrandMixin(BaseOAuth2PKCE[HttpResponse]):
    """Takes the errand along. For backends on social-core's OAuth 2, whose state is good for one return."""

    errand = Errand()
    # Set by the pipeline, for the view that signs the person in.
    signed_in_as: Identity | None = None
    # What OpenID Connect adds: the session at the provider, and the token it wants to see at signing out.
    sid = ""
    raw_id_token = ""

    def request(
        self, url: str, *, timeout: float | None = None, stage: Any = "user_info", **question: Any
    ) -> requests.Response:
        """Ask the provider, with the patience of a page; where it keeps silent others don't ask for a while.

        Instead of social-core's, whose limit is for each byte. Raises AuthProviderError with the same codes.
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
            raise AuthProviderError(self, code=_code_of(error), stage=stage) from error
        return answer

    def get_or_create_state(self) -> str | None:
        state: str | None = super().get_or_create_state()
        if state is not None:
            key = self.transaction_key(state)
            self.strategy.session_set(key, {**self.strategy.session_get(key), "errand": asdict(self.errand)})
        return state

    def validate_state(self) -> str | None:
        state: str | None = super().validate_state()
        self.errand = _errand_in(self._oauth2_transaction)
        return state

    def pending_errand(self) -> Errand:
        """The errand of the request at hand, whether or not its state still holds; for the way on after a failure."""
        state = self.get_request_state()  # type: ignore[no-untyped-call]
        known = self.strategy.session_get(self.transaction_key(state)) if isinstance(state, str) else None
        return _errand_in(known) if known else self.errand


@cache
def _session(name: str) -> RemoteSession:
    return RemoteSession(name)


def _code_of(error: requests.RequestException) -> str:
    """What social-core calls it."""
    if isinstance(error, requests.exceptions.SSLError):
        return "tls_error"
    return "timeout" if isinstance(error, requests.Timeout | RemoteAway) else "connection_failed"


def _errand_in(transaction: Any) -> Errand:
    content = transaction.get("errand") if isinstance(transaction, dict) else None
    return Errand(**content) if isinstance(content, dict) else Errand()
