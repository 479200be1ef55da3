"""What decides and records: what a request asks for, and what goes on without one."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from zun.compute.job import Plugs
from zun.conductor.accept import Accept, Defaults
from zun.conductor.admin import Admin
from zun.conductor.drain import Drain
from zun.conductor.ears import Ears
from zun.conductor.events import Forget
from zun.conductor.images import HostImages
from zun.conductor.latecomers import Latecomers, of_images, of_network, of_volumes
from zun.conductor.leavings import Leavings
from zun.conductor.place import Place
from zun.conductor.registries import Registries
from zun.conductor.streams import Streams
from zun.conductor.sweep import Sweep
from zun.conductor.vault import KeyFile
from zun.conductor.verbs import Verbs
from zun.conductor.work import Desk
from zun.conf import quota, scheduler, secrets
from zun.db.engine import Pool
from zun.db.store import SqlStore
from zun.domain.container import GLANCE
from zun.domain.host import Hearing, always
from zun.drivers.inventory.local import LocalInventory
from zun.interfaces import rpc
from zun.interfaces.inventory import Inventory
from zun.interfaces.rpc import Agents
from zun.interfaces.store import Store
from zun.pulse import Pulse
from zun.wiring.inventory import Account
from zun.wiring.parts import Clock, utcnow

#: Seconds between two rounds of the conductor's slow work, should every poke be lost.
PLACE_EVERY = 5.0
SWEEP_EVERY = 30.0


@dataclass(slots=True)
class Decisions:
    """What requests ask for."""

    accept: Accept
    verbs: Verbs
    admin: Admin
    registries: Registries
    images: HostImages
    streams: Streams


def decisions(
    conf: cfg.ConfigOpts, store: Store, plugs: Plugs, agents: Agents, clock: Clock, rounds: rpc.Rounds, hearing: Hearing
) -> Decisions:
    """``plugs`` are asked only what they would refuse; ``rounds`` is whoever goes on with what was decided."""
    inventory = Account(conf, store, clock, hearing, follow=rounds.follow).inventory
    poke = poker(rounds.place, agents)
    defaults = decided(conf)
    down = conf.compute.service_down_time
    return Decisions(
        accept=Accept(
            store,
            inventory,
            network=plugs.network,
            volumes=plugs.volumes,
            images=plugs.images,
            clock=clock,
            defaults=defaults,
            poke=rounds.place,
            poke_host=poke,
            chance=random.SystemRandom(),
        ),
        verbs=Verbs(
            store,
            agents,
            inventory,
            clock=clock,
            defaults=defaults,
            service_down_time=down,
            poke=poke,
            images=plugs.images,
            hearing=hearing,
            clear_away=rounds.clear_away,
        ),
        admin=admin(conf, store, clock, rounds.look_at_hosts, hearing, inventory),
        registries=Registries(store, secrets.vault(conf)),
        images=HostImages(store, agents, plugs.images, clock=clock, service_down_time=down, poke=poke),
        streams=tickets(conf, store, agents, clock),
    )


class Rounds:
    """What goes on without a request (implements :class:`zun.interfaces.rpc.Rounds`). There may be several, in processes of their own:
    each decision is one transaction."""

    def __init__(self, conf: cfg.ConfigOpts, store: Store, agents: Agents, clock: Clock, hearing: Hearing, plugs: Plugs) -> None:
        """``plugs`` are asked for what containers have left in other services, and nothing else."""
        self._account = Account(conf, store, clock, hearing)
        inventory = self._account.inventory
        self._place = Place(
            store,
            inventory,
            clock=clock,
            poke=lambda host: agents.on(host).look(),
            rules=scheduler.rules(conf),
            patience=conf.placement.patience,
        )
        forget = Forget(store, clock=clock, retention=conf.events.retention, most=conf.events.most)
        down = conf.compute.service_down_time
        self._sweep = Sweep(store, clock=clock, service_down_time=down, forget=forget.run, hearing=hearing)
        self.streams = tickets(conf, store, agents, clock)
        self.placing = Pulse("conductor-place", self._place.run, every=PLACE_EVERY)
        self._sweeping = Pulse("conductor-sweep", self._sweep_all, every=SWEEP_EVERY, first_after=SWEEP_EVERY)
        poke = poker(self.placing.poke, agents)
        # A drain that was under way when this process ended goes on at once.
        drain = Drain(store, clock=clock, poke=poke, agents=agents, down_time=down)
        self._draining = Pulse("conductor-drain", drain.run, every=SWEEP_EVERY)
        leavings = Leavings(
            store, inventory, network=plugs.network, volumes=plugs.volumes, clock=clock, service_down_time=down, hearing=hearing
        )
        makers = of_network(plugs.network, conf.network.reconcile_interval)
        if "cinder" in conf.volume.driver_list:
            makers += of_volumes(plugs.volumes, conf.volume.reconcile_interval)
        if GLANCE in plugs.images:
            makers += of_images(plugs.images[GLANCE], conf.glance.reconcile_interval)
        late = Latecomers(store, makers, clock=clock)

        def clear() -> None:
            leavings.run()
            late.run()

        often = min([SWEEP_EVERY, *(maker.every for maker in makers)])
        self._clearing = Pulse("conductor-leavings", clear, every=often, first_after=often)
        self.desk = Desk(store, inventory, clock=clock, poke=poke, vault=secrets.vault(conf))

    def place(self) -> None:
        """Look at once for what waits for a host."""
        self.placing.poke()

    def look_at_hosts(self) -> None:
        """Look at once at the hosts: at those that fall silent, and those that are drained."""
        self._sweeping.poke()
        self._draining.poke()
        self._account.look()

    def follow(self, consumer: str) -> None:
        """Have another account than ours put right, where there is one."""
        self._account.follow(consumer)

    def clear_away(self) -> None:
        """Look at once for what is left in other services by what is gone."""
        self._clearing.poke()

    def start(self) -> None:
        """Begin, except for the placing: whoever made this begins that, when hosts may have been heard of."""
        self._sweeping.start()
        self._draining.start()
        self._clearing.start()
        self._account.start()

    def stop(self) -> None:
        """End."""
        for pulse in (self.placing, self._sweeping, self._draining, self._clearing):
            pulse.stop()
        self._account.stop()

    def _sweep_all(self) -> None:
        self.streams.sweep()
        self._sweep.run()


def poker(place: Callable[[], None], agents: Agents) -> Callable[[str | None], None]:
    """Tells of work: its host, or the placer while it has none."""

    def poke(host: str | None) -> None:
        if host is None:
            place()
        else:
            agents.on(host).look()

    return poke


def tickets(conf: cfg.ConfigOpts, store: Store, agents: Agents, clock: Clock) -> Streams:
    """The tickets to streams."""
    return Streams(store, agents, clock=clock, lifetime=conf.websocket_proxy.token_ttl)


def admin(
    conf: cfg.ConfigOpts,
    store: Store,
    clock: Clock,
    sweep: Callable[[], None] = lambda: None,
    hearing: Hearing = always,
    inventory: Inventory | None = None,
) -> Admin:
    """What operators decide. Who has no ``sweep``, or no ``inventory``, leaves it to the service to notice what was decided."""
    down = conf.compute.service_down_time
    configured = decided(conf).quota
    inventory = inventory or LocalInventory(store, clock, down, hearing)
    return Admin(store, inventory, clock=clock, configured=configured, service_down_time=down, sweep=sweep, hearing=hearing)


class Listening:
    """What judges of hosts in this process, and the thread that keeps it informed."""

    def __init__(self, conf: cfg.ConfigOpts, conductor: rpc.Conductor, clock: Clock) -> None:
        """``conductor`` is reached as hosts reach it."""
        down = conf.compute.service_down_time
        ears = Ears(conductor.hears, clock=clock, service_down_time=down)
        self.hearing = ears.hearing
        self._pulse = Pulse("ears", ears.listen, every=min(conf.compute.heartbeat_interval, down / 4))
        self.start, self.stop = self._pulse.start, self._pulse.stop


def database(conf: cfg.ConfigOpts, clock: Clock) -> SqlStore:
    """The database of the configuration."""
    pool = Pool(
        max_pool_size=conf.database.max_pool_size,
        max_overflow=conf.database.max_overflow,
        pool_timeout=conf.database.pool_timeout,
        connection_recycle_time=conf.database.connection_recycle_time,
    )
    return SqlStore(conf.database.connection, clock=clock, pool=pool)


def decided(conf: cfg.ConfigOpts) -> Defaults:
    """What the operator decides for what requests leave open."""
    return Defaults(
        cpu=conf.default_cpu,
        memory=conf.default_memory,
        image_driver=conf.default_image_driver,
        availability_zone=conf.default_schedule_zone,
        quota=quota.limits(conf),
        unique_name_scope=conf.unique_container_name_scope,
    )


def rotate_keys(conf: cfg.ConfigOpts) -> int:
    """Seal every secret in the database anew; returns how many there are. The service may run meanwhile, and this may be repeated.

    With keys in a file, a new one is made first, and the old ones are forgotten afterwards. With keys in the configuration, an operator
    puts the new one first before, and takes the old one out afterwards. Raises SecretUnreadable for a secret that no key opens (then no
    key is forgotten), OSError, ValueError, StoreUnavailable.
    """
    file = None if conf.secrets.encryption_keys else KeyFile(Path(conf.secrets.key_file))
    if file is not None:
        file.add()
    store = database(conf, utcnow)
    try:
        sealed = Registries(store, secrets.vault(conf)).reseal()
    finally:
        store.close()
    if file is not None:
        file.keep_newest()
    return sealed
