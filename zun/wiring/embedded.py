"""The embedded whole."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from oslo_config import cfg

from zun import saga
from zun.api import events
from zun.api.auth import BasicAuth
from zun.conf import secrets
from zun.db import revision
from zun.interfaces import rpc
from zun.interfaces.rpc import Agent, Conductor
from zun.interfaces.runtime import Runtime
from zun.interfaces.store import Store
from zun.rpc import local
from zun.wiring import drivers, host
from zun.wiring.control import Listening, Rounds, database, decisions
from zun.wiring.edge import application
from zun.wiring.parts import Clock, deployment, utcnow
from zun.wiring.proxy import stream_server
from zun.wsproxy.sse import EventStreams


class Embedded:
    """The embedded whole: API, conductor, agent, one process, one engine."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        *,
        runtime: Runtime | None = None,
        clock: Clock = utcnow,
        fault: saga.FaultPoint = saga.no_fault,
        streams: socket.socket | None = None,
    ) -> None:
        """``streams`` is the socket of the stream proxy; without one there is none. Raises OSError where the state folder cannot be used,
        ValueError for what is no key of a secret and for cores that this host cannot have."""
        state = Path(conf.state_path)
        secrets.ensure_key(conf)
        if not revision.is_newest(conf.database.connection):
            # Only here: Alembic is 11 MB, which most lives of the service have no use for.
            from zun.db.migrate import upgrade

            upgrade(conf.database.connection)
        store = database(conf, clock)
        self.store: Store = store
        self.runtime = runtime or drivers.docker(conf, deployment(state))
        plugs = drivers.plugs(conf, self.runtime)
        agents: dict[str, Agent] = {}
        self.rounds = Rounds(conf, self.store, local.LocalAgents(agents), clock, lambda: self._ears.hearing(), plugs)
        conductor = local.link(Conductor, self.rounds.desk)  # type: ignore[type-abstract]
        self._ears = Listening(conf, conductor, clock)
        decided = decisions(conf, self.store, plugs, local.LocalAgents(agents), clock, self.rounds, self._ears.hearing)
        # A create that waits from before a long pause must not find its only host down because that has not said hello yet.
        self.agent = host.agent(conf, conductor, plugs, clock, fault, greeted=self.rounds.placing.start)
        self.doors = host.doors(conf)
        agents[conf.host] = local.link(Agent, host.ask(conf, plugs, self.agent.poke, self.doors))  # type: ignore[type-abstract]
        self.app: Any = application(
            conf,
            self.store,
            decided,
            plugs.network,
            clock,
            proxy_port=streams.getsockname()[1] if streams else conf.websocket_proxy.wsproxy_port,
            authenticate=lambda app: BasicAuth(app, conf),
        )
        asked = local.link(rpc.Streams, decided.streams)  # type: ignore[type-abstract]
        happening = EventStreams(events.shown)
        store.listen(happening.tell)
        self.proxy = stream_server(conf, asked, streams, happening) if streams else None

    def start(self) -> None:
        """Begin to work; the WSGI application is served by whoever made this."""
        self.doors.start()
        self._ears.start()
        self.rounds.start()
        self.agent.start()
        if self.proxy is not None:
            self.proxy.start()

    def stop(self) -> None:
        """End. Containers go on; what is under way is taken up again at the next start."""
        if self.proxy is not None:
            self.proxy.stop()
        self.doors.stop()
        self.agent.stop()
        self._ears.stop()
        self.rounds.stop()
        self.store.close()
