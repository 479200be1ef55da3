"""oslo.middleware, for who asks for it. It brings a maker of pages, green threads and hashes of passwords along: 3 MB."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

from oslo_config import cfg

from zun.api.auth import WSGI

#: of its options
_SECTIONS = ("cors", "healthcheck", "oslo_middleware")


class Middleware:
    """The parts of it that are used here. What the configuration speaks of is made at once, so that who starts the service hears what is
    wrong there; everything else is as it is by default, and made for the first request that needs it."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Raises cfg.Error."""
        self._conf = conf
        self._at_once = any(name in conf or name in conf.list_all_sections() or _in_environment(name) for name in _SECTIONS)
        if self._at_once:
            _register(conf)

    def healthcheck(self) -> WSGI:
        """What answers whoever watches over the service."""
        return self._made(partial(_healthcheck, self._conf))

    def behind_proxies(self, app: WSGI) -> WSGI:
        """The application as clients of a trusted proxy know it, where there is one."""
        if not (self._at_once and self._conf.oslo_middleware.enable_proxy_headers_parsing):
            return app
        from oslo_middleware.http_proxy_to_wsgi import HTTPProxyToWSGI

        proxied: WSGI = HTTPProxyToWSGI(app, self._conf)
        return proxied

    def for_browsers(self, app: WSGI) -> WSGI:
        """The application for requests with an Origin. The library's answers 200 to an OPTIONS without one, where there is nothing."""
        cors = self._made(partial(_cors, self._conf, app))

        def choose(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            return (cors if "HTTP_ORIGIN" in environ else app)(environ, start_response)

        return choose

    def _made(self, make: Callable[[], WSGI]) -> WSGI:
        if self._at_once:
            return make()
        # Two threads may make one each, and one of them is kept.
        made = cache(make)
        return lambda environ, start_response: made()(environ, start_response)


def _in_environment(section: str) -> bool:
    """Whether a variable speaks of an option of the section, as oslo.config reads them."""
    return any(name.startswith(f"OS_{section.upper()}__") for name in os.environ)


def _register(conf: cfg.ConfigOpts) -> None:
    from zun.conf import middleware

    middleware.register(conf)


def _healthcheck(conf: cfg.ConfigOpts) -> WSGI:
    from oslo_middleware.healthcheck import Healthcheck

    _register(conf)
    made: WSGI = Healthcheck(None, conf)
    return made


def _cors(conf: cfg.ConfigOpts, app: WSGI) -> WSGI:
    from oslo_middleware.cors import CORS

    _register(conf)
    made: WSGI = CORS(app, conf)
    return made
