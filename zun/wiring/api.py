"""The process ``zun-api``: requests. It needs a database and a broker; hosts and conductors may come and go."""

from __future__ import annotations

from oslo_config import cfg

from zun import errors
from zun.api.auth import WSGI, BasicAuth
from zun.db import revision
from zun.interfaces import rpc
from zun.rpc import messaging
from zun.wiring import drivers
from zun.wiring.control import Listening, database, decisions
from zun.wiring.edge import application
from zun.wiring.news import announce
from zun.wiring.parts import utcnow


class Api:
    """A worker of the REST API: ``app`` is the WSGI application, for any server."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Raises StoreUnavailable, ValueError for what cannot be used of the configuration, DatabaseOutdated."""
        if not revision.is_newest(conf.database.connection):
            raise errors.DatabaseOutdated(newest=revision.newest())
        self._bus = messaging.Bus(conf)
        self._store = database(conf, utcnow)
        announce(self._store, self._bus)
        rounds = self._bus.client(rpc.Rounds, messaging.ROUNDS)  # type: ignore[type-abstract]
        conductor = self._bus.client(rpc.Conductor, messaging.CONDUCTOR)  # type: ignore[type-abstract]
        self._ears = Listening(conf, conductor, utcnow)
        # Asked only what they would refuse: there is no engine here.
        plugs = drivers.plugs(conf, drivers.docker(conf, "none"))
        decided = decisions(conf, self._store, plugs, self._bus.agents(), utcnow, rounds, self._ears.hearing)
        self.app = application(
            conf,
            self._store,
            decided,
            plugs.network,
            utcnow,
            proxy_port=conf.websocket_proxy.wsproxy_port,
            authenticate=lambda app: _authenticated(app, conf),
        )

    def start(self) -> None:
        """Begin to tell others of what was accepted."""
        self._bus.start()
        self._ears.start()

    def stop(self) -> None:
        """End."""
        self._ears.stop(0)
        self._bus.stop()
        self._store.close()


def _authenticated(app: WSGI, conf: cfg.ConfigOpts) -> WSGI:
    if conf.api.auth_strategy == "basic":
        return BasicAuth(app, conf)
    # Not for whoever has no Keystone.
    from zun.api.keystone import authenticated

    return authenticated(app, conf)
