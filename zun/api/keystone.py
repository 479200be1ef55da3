"""Keystone's tokens, by its own middleware; what that refuses is told in the API's form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from keystonemiddleware import auth_token  # type: ignore[import-untyped]
from oslo_config import cfg
from webob import Response  # type: ignore[import-untyped]
from webob import exc as webob_exc

from zun import errors
from zun.api import failures, paths
from zun.api.auth import WSGI, strip

#: what a client says that the middleware looks at
TOKENS = ("HTTP_X_AUTH_TOKEN", "HTTP_X_SERVICE_TOKEN")


class KeystoneAuth:
    """The middleware. Without a valid token the answer is 401, without Keystone 503, except on the public paths."""

    def __init__(self, app: WSGI, conf: cfg.ConfigOpts) -> None:
        self._app = app
        # What application credentials may call is said by type of service.
        self._tokens = _Tokens(app, {"oslo_config_config": conf, "service_type": "container"})
        self._tokens.retry_after = conf.api.retry_after

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve a request."""
        strip(environ, TOKENS)
        if paths.is_public(environ):
            for token in TOKENS:
                environ.pop(token, None)
            return self._app(environ, start_response)
        answer: Iterable[bytes] = self._tokens(environ, start_response)
        return answer


class _Tokens(auth_token.AuthProtocol):  # type: ignore[misc]
    retry_after: int

    def process_request(self, request: Any) -> Any:
        try:
            return super().process_request(request)
        except webob_exc.HTTPUnauthorized as refused:
            failure = failures.of(errors.Unauthorized(), self.retry_after)
            headers = {"WWW-Authenticate": refused.headers.get("WWW-Authenticate", "Keystone")}
        except webob_exc.HTTPServiceUnavailable:
            failure = failures.of(errors.IdentityUnavailable(), self.retry_after)
            headers = dict(failure.headers)
        answer = Response(body=failure.body, status=failure.status, content_type="application/json")
        answer.headers.update(headers)
        return answer
