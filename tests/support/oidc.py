"""An OpenID provider on loopback that answers like Keycloak, and can be made to answer wrongly.

The visit of the browser there is `visit`: it takes the address our site redirected to and gives the one the provider
would send the browser back to.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "storefront", "the client's secret"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@cache
def key_pair(kid: str) -> rsa.RSAPrivateKey:
    """Return the key with this name; made once, because that is slow."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(kid: str) -> dict[str, Any]:
    jwk: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key_pair(kid).public_key()))
    return {**jwk, "kid": kid, "use": "sig", "alg": "RS256"}


class FakeProvider:
    """A provider whose claims and errors are attributes a test sets."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.issuer = f"{self.url}/realms/tessera"
        self.published = ["first"]  # the keys it shows
        self.signs_with = "first"
        self.claims: dict[str, Any] = {
            "sub": "11111111-aaaa-4bbb-8ccc-222222222222",
            "email": "amara@northgate.example",
            "email_verified": True,
            "name": "Amara Okafor",
            "sid": "session-1",
        }
        self.userinfo: dict[str, Any] = {}
        self.access_claims: dict[str, Any] = {}
        self.in_token: dict[str, Any] = {}  # what replaces claims of the ID token alone; None leaves one out
        self.headers: dict[str, Any] = {}
        self.clock = 0  # seconds its clock is ahead
        self.answers: dict[str, Any] = {}  # path part -> (status, body) instead of the right answer
        self.left_out: set[str] = set()  # of the discovery document
        self.denies = False  # to a browser that really comes
        self.asked: list[str] = []
        self.grants: dict[str, dict[str, str]] = {}
        self.last_query: dict[str, str] = {}

    # The browser

    def visit(self, address: str, *, error: str = "", **replaced: str) -> str:
        """Sign in at the provider and return the path and query of the callback."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self.last_query = query
        assert address.startswith(f"{self.url}/authorize?"), address
        assert query["response_type"] == "code"
        back = urlsplit(query["redirect_uri"])
        answer = {"state": query["state"], "iss": self.issuer}
        if error:
            answer["error"] = error
        else:
            answer["code"] = secrets.token_urlsafe(12)
            self.grants[answer["code"]] = query
        return f"{back.path}?{urlencode({**answer, **replaced})}"

    def send_browser_back(self, path: str) -> str | None:
        """Redirect straight back: users count as signed in already, or out."""
        address = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path.endswith("/authorize") and "authorize" not in self.answers:
            back = urlsplit(query["redirect_uri"])
            error = "access_denied" if self.denies else ""
            return f"{back.scheme}://{back.netloc}{self.visit(self.url + path, error=error)}"
        if address.path.endswith("/logout") and "logout" not in self.answers:
            return query["post_logout_redirect_uri"]
        return None

    # Tokens

    def sign(self, claims: dict[str, Any], *, key: str = "", kid: str = "", **headers: Any) -> str:
        key = key or self.signs_with
        return jwt.encode(claims, key_pair(key), algorithm="RS256", headers={"kid": kid or key, **headers})

    def id_token(self, query: dict[str, str]) -> str:
        now = int(time.time()) + self.clock
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "azp": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": query.get("nonce"),
            **self.claims,
            **self.in_token,
        }
        return self.sign({name: value for name, value in claims.items() if value is not None}, **self.headers)

    def access_token(self) -> str:
        now = int(time.time()) + self.clock
        claims = {"iss": self.issuer, "azp": CLIENT, "iat": now, "exp": now + 300, "sub": self.claims["sub"]}
        return self.sign({**claims, **self.access_claims})

    def api_token(self, *, key: str = "", **replaced: Any) -> str:
        """Return an access token for our API; by default a person's, with a session."""
        now = int(time.time()) + self.clock
        claims = {
            "iss": self.issuer,
            "aud": [CLIENT, "account"],
            "azp": "integration",
            "typ": "Bearer",
            "iat": now,
            "exp": now + 300,
            "sub": self.claims["sub"],
            "sid": self.claims["sid"],
            "scope": "openid profile",
            **replaced,
        }
        return self.sign({name: value for name, value in claims.items() if value is not None}, key=key)

    def service_token(self, *scopes: str, **replaced: Any) -> str:
        """Return what client credentials give: nobody's session, and the scopes of the client."""
        own: dict[str, Any] = {"sub": "5e7c1ce0-0000-4000-8000-000000000000", "sid": None, "scope": " ".join(scopes)}
        return self.api_token(**{**own, **replaced})

    def logout_token(self, *, header_type: str = "logout+jwt", key: str = "", **replaced: Any) -> str:
        now = int(time.time()) + self.clock
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_hex(8),
            "events": {LOGOUT_EVENT: {}},
            "sid": self.claims["sid"],
            "sub": self.claims["sub"],
            **replaced,
        }
        sound = {name: value for name, value in claims.items() if value is not None}
        return self.sign(sound, key=key, typ=header_type)

    # What servers ask

    def answer(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        name = path.rpartition("/")[2]
        self.asked.append(name)
        if name in self.answers:
            status: int
            status, body = self.answers[name]
            return status, body
        known: dict[str, Callable[[], tuple[int, Any]]] = {
            "openid-configuration": lambda: (200, self.discovery()),
            "keys": lambda: (200, {"keys": [public_jwk(kid) for kid in self.published]}),
            "token": lambda: self._token(form, authorization),
            "userinfo": lambda: (200, {**_without_session(self.claims), **self.userinfo}),
        }
        return known[name]() if name in known else (404, {})

    def discovery(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/logout",
            "scopes_supported": ["openid", "profile", "email", "organization"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        return {name: value for name, value in document.items() if name not in self.left_out}

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        given = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if authorization != f"Basic {given}":
            return 401, {"error": "unauthorized_client", "error_description": "Invalid client or its credentials"}
        query = self.grants.pop(form.get("code", ""), None)
        if query is None:
            return 400, {"error": "invalid_grant", "error_description": "Code not valid"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if query.get("code_challenge_method") != "S256" or challenge != query.get("code_challenge"):
            return 400, {"error": "invalid_grant", "error_description": "PKCE verification failed"}
        if form.get("redirect_uri") != query["redirect_uri"]:
            return 400, {"error": "invalid_grant", "error_description": "Incorrect redirect_uri"}
        return 200, {
            "access_token": self.access_token(),
            "refresh_token": "a refresh token",
            "id_token": self.id_token(query),
            "token_type": "Bearer",
            "expires_in": 300,
        }


@contextmanager
def running_provider() -> Iterator[FakeProvider]:
    """Run a provider until the block ends."""
    provider = FakeProvider()
    thread = threading.Thread(target=provider.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
        thread.join()


def _without_session(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name != "sid"}


def _handler(provider: FakeProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = provider.send_browser_back(self.path)
            if address is None:
                self._answer({})
                return
            self.send_response(302)
            self.send_header("Location", address)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._answer({name: values[0] for name, values in parse_qs(body).items()})

        def _answer(self, form: dict[str, str]) -> None:
            path = urlsplit(self.path).path
            status, body = provider.answer(path, form, self.headers.get("Authorization", ""))
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
