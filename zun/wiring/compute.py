"""The process ``zun-compute``: the agent of one host. It has no database; the broker is its way to the conductors."""

from __future__ import annotations

from pathlib import Path

from oslo_config import cfg

from zun import saga
from zun.interfaces import rpc
from zun.rpc import messaging
from zun.wiring import drivers, host
from zun.wiring.parts import deployment, utcnow


class Compute:
    """A host's agent."""

    farewell = 2.0

    def __init__(self, conf: cfg.ConfigOpts, *, fault: saga.FaultPoint = saga.no_fault) -> None:
        """Raises OSError where the state folder cannot be used, ValueError for what cannot be used of the configuration."""
        self._bus = messaging.Bus(conf)
        plugs = drivers.plugs(conf, drivers.docker(conf, deployment(Path(conf.state_path))))
        conductor = self._bus.client(rpc.Conductor, messaging.CONDUCTOR)  # type: ignore[type-abstract]
        self._agent = host.agent(conf, conductor, plugs, utcnow, fault, greeted=lambda: None)
        self._doors = host.doors(conf)
        asked = host.ask(conf, plugs, self._agent.poke, self._doors)
        self._server = self._bus.server(rpc.Agent, asked, messaging.AGENT, name=conf.host)  # type: ignore[type-abstract]

    def start(self) -> None:
        """Begin. Raises OSError where it cannot listen for streams."""
        self._doors.start()
        self._bus.start()
        self._agent.start()
        self._server.start()

    def stop(self) -> None:
        """End. Containers go on."""
        self._doors.stop()
        self._agent.stop()
        self._server.stop()
        self._bus.stop()
