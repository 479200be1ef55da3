"""A cloud in one process, for tests: a real SQLite store, the conductor's parts, agents with engines in memory.

By default nothing runs by itself: a test says when pokes are heard (:meth:`World.settle` until all is quiet) and time passes only as the
test says, so that every run is the same. ``World(..., threads=True)`` runs the agents and the placer as the service does.
"""

from __future__ import annotations

import logging
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compiled import remembering
from tests.glances import Glance, connecting
from tests.hands import Clock, Engine, HandPulse, Killed
from tests.life import PACE, Life
from tests.stores import fresh
from zun import errors, saga
from zun.compute.cores import Cores
from zun.compute.job import Plugs
from zun.conductor.accept import Accept, Defaults
from zun.conductor.images import HostImages
from zun.conductor.latecomers import Latecomers, of_images, of_network, of_volumes
from zun.conductor.leavings import Leavings
from zun.conductor.place import Place
from zun.conductor.registries import Registries
from zun.conductor.sweep import Sweep
from zun.conductor.vault import Vault
from zun.conductor.verbs import Verbs
from zun.conductor.work import Desk
from zun.db.store import SqlStore
from zun.domain.action import OPEN, Action, Caller
from zun.domain.capsule import CapsuleWish
from zun.domain.container import Container
from zun.domain.host import Hearing, always
from zun.domain.host_image import Image
from zun.domain.sandbox import Sandbox
from zun.domain.scheduling import Rules
from zun.drivers.image.registry import RegistryImages
from zun.drivers.inventory.local import LocalInventory
from zun.drivers.network.engine import EngineNetwork
from zun.drivers.runtime.fake import FakeRuntime
from zun.drivers.volume.local import LocalVolumes
from zun.interfaces.images import Images
from zun.interfaces.inventory import Inventory
from zun.interfaces.network import Network
from zun.interfaces.rpc import Agent
from zun.interfaces.runtime import EngineImage
from zun.interfaces.store import Store
from zun.interfaces.volumes import Volumes
from zun.pulse import Pulse

# Its asserts shall explain themselves, though it is no test module.
pytest.register_assert_rewrite("tests.invariants")

LOG = logging.getLogger(__name__)

ME = Caller(user_id="me", project_id="mine", request_id="req-1", token="mine")
IMAGE = "docker.io/library/busybox:latest"
DOWN_TIME = 180
#: what seals passwords here
KEY = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="


class LocalAgents:
    """The way to the agents that live; pokes may be lost."""

    def __init__(self, world: World) -> None:
        self._world = world

    def on(self, host: str) -> Agent:
        life = self._world.lives.get(host)
        if life is None or self._world.mute:
            raise errors.RpcUnavailable(target=host, seconds=0)
        return life.link


class World:
    """The cloud. ``lives`` are the agents by host, ``engines`` what they work on, which outlives them."""

    def __init__(
        self,
        folder: Path,
        *,
        hosts: tuple[str, ...] = ("one",),
        defaults: Defaults | None = None,
        threads: bool = False,
        chance: random.Random | None = None,
        wrap: Callable[[SqlStore], object] = lambda store: store,
        clock: Clock | None = None,
        cores: dict[str, Cores] | None = None,
        network: Network | None = None,
        glance: Glance | None = None,
        volumes: Callable[[str], Volumes] | None = None,
        account: Callable[[Store, LocalInventory], Inventory] | None = None,
        rules: Rules | None = None,
        **host_options,
    ) -> None:
        self.folder, self.threads, self.mute = folder, threads, False
        self.clock = clock or Clock()
        #: called at every fault point of every agent, whichever life it is in
        self.fault: saga.FaultPoint = saga.no_fault
        #: since when the conductor would hear of hosts
        self.hearing: Hearing = always
        #: another account of what hosts have, beside the rows; made anew with every life of the conductor
        self.account = account
        self.chance = chance or random.Random(0)
        self.defaults = defaults or Defaults()
        self.host_options = host_options
        #: by host; what a test puts here is seen by the next life of its agent
        self.cores = dict(cores or {})
        self.network: Network = network or EngineNetwork()
        self.glance = glance
        #: by host, anew for each life; the conductor's is called so
        self.volumes = volumes or (lambda host: LocalVolumes(folder / host))
        self.rules = rules
        self._sql = SqlStore(remembering(fresh(folder / "world.sqlite")), self.clock, durable=False)
        self.store = wrap(self._sql)
        self.engines = {host: self._engine() for host in hosts}
        self.lives: dict[str, Life] = {}
        self._begun: list[Life] = []
        self.agents = LocalAgents(self)
        self.place_pulse: Pulse | None = None
        self.begin_conductor()
        for host in hosts:
            self.begin(host)

    def _engine(self) -> Engine:
        return Engine({IMAGE: EngineImage(id="sha256:busybox", ports=[80])}, clock=self.clock)

    def drivers(self, runtime: FakeRuntime) -> dict[str, Images]:
        """The image drivers of a process."""
        found: dict[str, Images] = {"docker": RegistryImages(runtime)}
        if self.glance is not None:
            from zun.drivers.image.glance import UNDER, GlanceImages
            from zun.drivers.image.sdk import SdkGlance
            from zun.drivers.image.shelf import Shelf

            shelf = Shelf(runtime, UNDER, self.folder / "glance", most=0, clock=lambda: self.clock.passed)
            found["glance"] = GlanceImages(SdkGlance(connecting(self.glance.url)), runtime, shelf, largest=1 << 30)
        return found

    # -- processes -------------------------------------------------------------------------------

    def begin_conductor(self) -> None:
        """A new life of the conductor: nothing but the store is left of the last one."""
        if self.place_pulse is not None:
            self.place_pulse.stop()
        inventory: Inventory = LocalInventory(self.store, self.clock, DOWN_TIME, lambda: self.hearing())
        if self.account is not None:
            inventory = self.account(self.store, inventory)
        plugs = Plugs(runtime=FakeRuntime(self._engine()), images={}, network=self.network, volumes=self.volumes("conductor"))
        self.place = Place(self.store, inventory, clock=self.clock, poke=lambda host: self.agents.on(host).look(), rules=self.rules)
        maker = Pulse if self.threads else HandPulse
        self.place_pulse = maker("place", self.place.run, 0.2)
        self.accept = Accept(
            self.store,
            inventory,
            network=plugs.network,
            volumes=plugs.volumes,
            images=self.drivers(plugs.runtime),
            clock=self.clock,
            defaults=self.defaults,
            poke=lambda: self._poke(None),
            poke_host=self._poke,
            chance=self.chance,
        )
        self.verbs = Verbs(
            self.store,
            self.agents,
            inventory,
            clock=self.clock,
            defaults=self.defaults,
            service_down_time=DOWN_TIME,
            poke=self._poke,
            images=self.drivers(plugs.runtime),
            hearing=lambda: self.hearing(),
        )
        self._begin_rounds(inventory, plugs)
        vault = Vault(lambda: [KEY])
        self.desk = Desk(self.store, inventory, clock=self.clock, poke=self._poke, vault=vault)
        self.registries = Registries(self.store, vault)
        self.images = HostImages(
            self.store,
            self.agents,
            self.drivers(plugs.runtime),
            clock=self.clock,
            service_down_time=DOWN_TIME,
            poke=self._poke,
        )
        self.place_pulse.start()

    def _begin_rounds(self, inventory: Inventory, plugs: Plugs) -> None:
        """What goes on without a request, but for the placing: each round is called by the test."""
        judged = {"clock": self.clock, "service_down_time": DOWN_TIME, "hearing": lambda: self.hearing()}
        self.sweep = Sweep(self.store, **judged)
        self.leavings = Leavings(self.store, inventory, network=plugs.network, volumes=plugs.volumes, **judged)
        makers = [*of_network(plugs.network, 300), *of_volumes(plugs.volumes, 300)]
        makers += [maker for driver in self.drivers(plugs.runtime).values() for maker in of_images(driver, 300)]
        self.latecomers = Latecomers(self.store, makers, clock=self.clock)

    def _poke(self, host: str | None) -> None:
        if self.mute:
            raise errors.RpcUnavailable(target=host, seconds=0)
        if host is None:
            self.place_pulse.poke()
        else:
            self.agents.on(host).look()

    def begin(self, host: str = "one") -> Life:
        """A new life of a host's agent. The last one, if it lives, is left alone."""
        self.lives[host] = Life(self, host)
        self._begun.append(self.lives[host])
        if not self.threads:
            self.lives[host].beat("agent-claims")
        return self.lives[host]

    def kill(self, host: str = "one") -> None:
        """The agent's process ends without a word; its engine and containers go on."""
        life = self.lives.pop(host)
        life.dead = True
        life.lanes.close()

    def restart(self, host: str = "one") -> Life:
        """Kill the agent and begin another life."""
        self.kill(host)
        return self.begin(host)

    def stop(self) -> None:
        """The end of the test."""
        if self.threads:
            for life in self._begun:
                life.loop.stop()
        self.place_pulse.stop()
        self._sql.close()

    # -- time ------------------------------------------------------------------------------------

    def turn(self) -> bool:
        """Everybody does once what can be done now. False if there was nothing to do."""
        self.place_pulse.beat()
        worked = False
        for host in list(self.lives):
            life = self.lives[host]
            try:
                life.beat("agent-claims")
                if life.runtime.has_news():
                    life.beat("agent-events")
                worked |= life.work()
            except Killed:
                self.restart(host)
                worked = True
        return worked

    def settle(self, longest: float = 3600.0) -> None:
        """Go on until nothing is left to do, through every wait of at most ``longest`` seconds in all; engines must be up."""
        until = self.clock.passed + longest
        idle = 0
        for _ in range(2000):
            while self.turn():
                idle = 0
            waits = [wait for life in self.lives.values() for wait in life.lanes.waits()]
            now = self.clock.now
            waits += [(action.not_before - now).total_seconds() for action in self.open_actions() if action.not_before]
            soonest = min((wait for wait in waits if wait > 0), default=None)
            if soonest is None:
                # What was lost is told, or looked for, again after a while.
                idle += 1
                if idle == 2:
                    return
                soonest = PACE.poll
            if self.clock.passed + soonest > until:
                return
            self.clock.pass_time(soonest)
            self.heartbeats()
        raise AssertionError("the world does not come to rest")

    def heartbeats(self) -> None:
        """Every agent says that it lives."""
        for life in self.lives.values():
            life.beat("agent-heartbeat")

    def scans(self) -> None:
        """Every agent scans, and does what follows."""
        for life in list(self.lives.values()):
            life.beat("agent-scan")
        self.settle()

    def wait_for(self, what: Callable[[], bool], seconds: float = 30.0) -> None:
        """With threads: wait until something is so."""
        until = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < until, f"waited in vain; containers: {[(c.uuid, c.status, c.task_state) for c in self.containers()]}"
            time.sleep(0.01)

    # -- what users do ---------------------------------------------------------------------------

    def create(self, *, run: bool = True, settle: bool = True, caller: Caller = ME, **asked) -> Container:
        """Accept a container, small unless ``asked`` otherwise, and let it come to life."""
        made = self.accept.create(caller, {"image": "busybox", "cpu": 0.1, "memory": 16} | asked, run)
        if settle and not self.threads:
            self.settle()
        return self.container(made.uuid) or made

    def create_capsule(self, *containers: dict, settle: bool = True, caller: Caller = ME, **sandbox) -> list[Container]:
        """Accept a capsule of small containers, and let it come to life. Returns its containers, in order."""
        members = [{"image": "busybox", "cpu": 0.1, "memory": 16} | asked for asked in containers or ({},)]
        _, made = self.accept.create_capsule(caller, CapsuleWish(sandbox=sandbox, containers=members))
        if settle:
            self.settle()
        return [self.container(one.uuid) or one for one in made]

    def do(self, verb: str, container: Container, *, settle: bool = True, **arguments) -> Container | None:
        """Accept a verb, and let it be done."""
        self.verbs.accept(ME, self.container(container.uuid) or container, verb, arguments)
        if settle:
            self.settle()
        return self.container(container.uuid)

    def delete(self, container: Container, *, force: bool = False, stop: bool = False, settle: bool = True) -> Container | None:
        """Accept a deletion, and let it be done."""
        self.verbs.delete(ME, self.container(container.uuid) or container, force=force, stop=stop)
        if settle:
            self.settle()
        return self.container(container.uuid)

    # -- what is -----------------------------------------------------------------------------------

    def container(self, uuid: str) -> Container | None:
        with self.store.read() as tx:
            return tx.get(Container, uuid)

    def containers(self) -> list[Container]:
        with self.store.read() as tx:
            return tx.find(Container)

    def sandbox(self, container: Container) -> Sandbox | None:
        with self.store.read() as tx:
            return tx.get(Sandbox, container.sandbox_uuid)

    def actions(self, container: Container | None = None) -> list[Action]:
        with self.store.read() as tx:
            return tx.find(Action, {"container_uuid": container.uuid} if container else {})

    def open_actions(self) -> list[Action]:
        with self.store.read() as tx:
            return tx.find(Action, {"state": OPEN})

    def rows(self) -> Counter[str]:
        """How many rows there are of each kind that a request may write."""
        with self.store.read() as tx:
            return Counter({entity.__name__: tx.count(entity) for entity in (Container, Sandbox, Action, Image)})

    def in_engine(self, container: Container, host: str = "one") -> list[str]:
        """The states of the container's objects in an engine."""
        return [thing.state.value for thing in self.engines[host].things.values() if thing.container_uuid == container.uuid]


@contextmanager
def a_world(**options) -> Iterator[World]:
    """A world in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="zun-world-"))
    world = World(folder, **options)
    try:
        yield world
    finally:
        world.stop()
        shutil.rmtree(folder)


@pytest.fixture
def world() -> Iterator[World]:
    """A cloud of one host."""
    with a_world() as made:
        yield made


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    """Makes clouds."""
    opened = []

    def make(**options) -> World:
        opened.append(a_world(**options))
        return opened[-1].__enter__()

    yield make
    for manager in opened:
        manager.__exit__(None, None, None)
