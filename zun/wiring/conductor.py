"""The process ``zun-conductor``: what goes on without a request, and what hosts and stream proxies ask. There may be several."""

from __future__ import annotations

from oslo_config import cfg

from zun import errors
from zun.db import revision
from zun.interfaces import rpc
from zun.rpc import messaging
from zun.wiring import drivers
from zun.wiring.control import Listening, Rounds, database
from zun.wiring.news import announce
from zun.wiring.parts import utcnow


class Conducting:
    """A conductor."""

    #: the library waits five seconds for a message at most
    farewell = 8.0

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Raises StoreUnavailable, ValueError for what cannot be used of the configuration, DatabaseOutdated."""
        if not revision.is_newest(conf.database.connection):
            raise errors.DatabaseOutdated(newest=revision.newest())
        self._bus = messaging.Bus(conf)
        self._store = database(conf, utcnow)
        announce(self._store, self._bus)
        conductor = self._bus.client(rpc.Conductor, messaging.CONDUCTOR)  # type: ignore[type-abstract]
        self._ears = Listening(conf, conductor, utcnow)
        # Of these, other services are asked, and no engine: there is none here.
        plugs = drivers.plugs(conf, drivers.docker(conf, "none"))
        self._rounds = Rounds(conf, self._store, self._bus.agents(), utcnow, self._ears.hearing, plugs)
        self._servers = (
            self._bus.server(rpc.Conductor, self._rounds.desk, messaging.CONDUCTOR, name=conf.host),  # type: ignore[type-abstract]
            self._bus.server(rpc.Streams, self._rounds.streams, messaging.STREAMS, name=conf.host),  # type: ignore[type-abstract]
            self._bus.server(rpc.Rounds, self._rounds, messaging.ROUNDS, name=conf.host),  # type: ignore[type-abstract]
        )

    def start(self) -> None:
        """Begin."""
        self._bus.start()
        self._rounds.start()
        self._rounds.placing.start()
        for server in self._servers:
            server.start()
        self._ears.start()

    def stop(self) -> None:
        """End; what is under way is in the database."""
        self._ears.stop(0)
        messaging.stop_all(self._servers)
        self._rounds.stop()
        self._bus.stop()
        self._store.close()
