"""Keystone's tokens, by its own middleware; what that refuses is told in the API's form."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from keystoneauth1 import exceptions
from keystonemiddleware import auth_token  # type: ignore[import-untyped]
from oslo_config import cfg
from webob import Response  # type: ignore[import-untyped]
from webob import exc as webob_exc

from zun import errors
from zun.api import failures, paths
from zun.api.auth import WSGI, strip, tells_identity

#: what a client says that the middleware looks at
TOKEN, SERVICE_TOKEN = "HTTP_X_AUTH_TOKEN", "HTTP_X_SERVICE_TOKEN"
TOKENS = (TOKEN, SERVICE_TOKEN)
#: what the middleware says that nobody here reads: some kilobytes
_CATALOG = "HTTP_X_SERVICE_CATALOG"

#: The most seconds, and tokens, for which holds what the middleware has said a moment ago: it asks memcached each time, and takes half as
#: long as a small request. A revoked token is good for so much longer than [keystone_authtoken] token_cache_time already allows.
REMEMBERED, MOST_REMEMBERED = 5.0, 1000

Headers = Mapping[str, str]


def authenticated(app: WSGI, conf: cfg.ConfigOpts) -> WSGI:
    """The application behind Keystone's middleware."""

    def middleware(inner: WSGI) -> WSGI:
        # What application credentials may call is said by type of service.
        tokens = _Tokens(inner, {"oslo_config_config": conf, "service_type": "container"})
        tokens.retry_after = conf.api.retry_after
        made: WSGI = tokens
        return made

    # The middleware declares its options only when it is made.
    return KeystoneAuth(app, middleware, Said(lambda: min(REMEMBERED, conf.keystone_authtoken.token_cache_time)))


class KeystoneAuth:
    """What is in front of the middleware. Without a valid token the answer is 401, without Keystone 503, except on the public paths."""

    def __init__(self, app: WSGI, middleware: Callable[[WSGI], WSGI], said: Said) -> None:
        """``middleware`` puts Keystone's in front of an application; ``said`` has what it has said a moment ago."""
        self._app = app
        self._tokens = middleware(self._heard)
        self._said = said

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve a request."""
        strip(environ, TOKENS)
        if paths.is_public(environ):
            for token in TOKENS:
                environ.pop(token, None)
            return self._app(environ, start_response)
        known = None if SERVICE_TOKEN in environ else self._said.of(environ.get(TOKEN, ""))
        if known is not None:
            environ.update(known)
            return self._app(environ, start_response)
        return self._tokens(environ, start_response)

    def _heard(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """What the middleware calls when it has found a token good."""
        environ.pop(_CATALOG, None)
        if SERVICE_TOKEN not in environ:
            self._said.keep(environ)
        return self._app(environ, start_response)


class Said:
    """What the middleware has said of tokens, for ``seconds()`` at most; nothing where that is not more than 0. Safe for several threads.

    Only what it would say again is kept: nothing of a token that is about to expire, that is bound to a client, or whose access rules look
    at the request. A token itself is not kept, but its hash with a key that only this process has.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        ticks: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._seconds = seconds
        self._ticks = ticks
        self._clock = clock
        self._key = os.urandom(32)
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[float, Headers]] = {}

    def of(self, token: str) -> Headers | None:
        """The headers in WSGI's form that it has set; None where it must be asked."""
        known = self._known.get(self._name(token))
        return known[1] if known is not None and self._ticks() < known[0] else None

    def keep(self, environ: Mapping[str, Any]) -> None:
        """Remember what it says in this request."""
        told = environ.get("keystone.token_info", {}).get("token", {})
        looks = (told.get("application_credential") or {}).get("access_rules") is not None or told.get("bind")
        seconds = self._seconds()
        if seconds <= 0 or looks or "expires_at" not in told or environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
            return
        left = (datetime.fromisoformat(told["expires_at"]) - self._clock()).total_seconds()
        headers = {name: value for name, value in environ.items() if tells_identity(name) and name not in TOKENS}
        with self._lock:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[self._name(environ[TOKEN])] = (self._ticks() + min(seconds, left), headers)

    def _name(self, token: str) -> bytes:
        return hashlib.blake2b(token.encode("utf-8", "surrogateescape"), key=self._key).digest()


class _Tokens(auth_token.AuthProtocol):  # type: ignore[misc]
    retry_after: int

    def process_request(self, request: Any) -> Any:
        try:
            return super().process_request(request)
        except webob_exc.HTTPUnauthorized as refused:
            failure = failures.of(errors.Unauthorized(), self.retry_after)
            headers = {"WWW-Authenticate": refused.headers.get("WWW-Authenticate", "Keystone")}
        except (webob_exc.HTTPServiceUnavailable, exceptions.ClientException) as error:
            # The middleware expects that Keystone cannot be reached, and that it says 503; not that it says nothing.
            self.log.warning("No token can be validated: %s", error)
            failure = failures.of(errors.IdentityUnavailable(), self.retry_after)
            headers = dict(failure.headers)
        answer = Response(body=failure.body, status=failure.status, content_type="application/json")
        answer.headers.update(headers)
        return answer
