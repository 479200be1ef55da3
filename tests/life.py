"""One life of a host's agent in a cloud for tests, and what it says to the conductors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hands import HandLanes, HandPulse, HandRuntime
from zun import errors
from zun.compute.ask import Ask
from zun.compute.cores import Cores
from zun.compute.job import Plugs
from zun.compute.loop import AgentLoop, Pace
from zun.drivers.runtime.fake import FakeRuntime
from zun.interfaces.rpc import Agent, Conductor, HostReport
from zun.rpc.codec import Codec
from zun.rpc.local import link

if TYPE_CHECKING:
    from tests.world import World

PACE = Pace(poll=5.0, heartbeat=10.0, scan=60.0, engine_wait=300.0, engine_again=2.0, parallel=8)
FAST = Pace(poll=0.2, heartbeat=0.2, scan=0.5, engine_wait=5.0, engine_again=0.05, parallel=8)


class Wire:
    """What an agent says to the conductors, encoded; a test may lose a call, or its answer, or double it."""

    def __init__(self, world: World) -> None:
        self._world, self._codec = world, Codec(Conductor)
        self._disturbed: dict[str, list[str]] = {}
        self.client = self._codec.client(self._send)

    def disturb(self, call: str, how: str) -> None:
        """The next call of this name is "unheard", or "unanswered" (only its answer is lost), or heard "twice"."""
        self._disturbed.setdefault(call, []).append(how)

    def calm(self) -> None:
        """Nothing more is lost or doubled."""
        self._disturbed.clear()

    def _send(self, name: str, body: bytes, awaited: bool) -> bytes:
        disturbed = self._disturbed.get(name)
        how = disturbed.pop(0) if disturbed else ""
        if how == "unheard":
            raise errors.RpcUnavailable(target="conductor", seconds=1)
        answer = self._codec.serve(self._world.desk, name, body)
        if how == "twice":
            answer = self._codec.serve(self._world.desk, name, body)
        if how == "unanswered":
            raise errors.RpcUnavailable(target="conductor", seconds=1)
        return answer


class Life:
    """One life of a host's agent."""

    def __init__(self, world: World, host: str) -> None:
        self.host, self.dead = host, False
        self.pulses: dict[str, HandPulse] = {}
        self.wire = Wire(world)
        self.lanes = HandLanes(world.clock, world.chance)
        threads = world.threads
        self.runtime = FakeRuntime(world.engines[host]) if threads else HandRuntime(world.engines[host])
        plugs = Plugs(
            runtime=self.runtime,
            images=world.drivers(self.runtime),
            network=world.network,
            volumes=world.volumes(host),
            cores=world.cores.get(host, Cores()),
        )
        cores = {"cpu_dedicated_set": plugs.cores.dedicated, "cpu_shared_set": plugs.cores.shared, "numa_topology": plugs.cores.nodes}
        self.cores = plugs.cores
        seam = {} if threads else {"lanes": self.lanes, "pulse": self._pulse, "chance": world.chance.random}
        self.loop = AgentLoop(
            host,
            self.wire.client,
            plugs,
            report=lambda: HostReport(facts=self.runtime.facts(), availability_zone="nova", **cores, **world.host_options),
            clock=world.clock,
            pace=FAST if threads else PACE,
            fault=lambda point: world.fault(point),
            **seam,
        )
        asked = Ask(self.runtime, self.loop.poke, execute_timeout=1, log_limit=1 << 20, output_limit=1 << 20)
        self.link = link(Agent, asked)
        self.loop.start()

    def _pulse(self, name, beat, every, **options) -> HandPulse:
        self.pulses[name] = HandPulse(name, beat, every, **options)
        return self.pulses[name]

    def beat(self, *names: str) -> None:
        """Let these pulses beat once, if this life has got so far."""
        for name in names:
            if name in self.pulses and not self.dead:
                self.pulses[name].beat()

    def work(self) -> bool:
        """Do everything that waits in the lanes and tell of it; False if there was nothing."""
        worked = False
        while not self.dead and self.lanes.run_one():
            worked = True
            self.beat("outbox")
        self.beat("outbox")
        return worked
