"""The only module that names concrete parts: which plug goes where.

The embedded whole and the distributed service are the same parts; what differs between them is written here and nowhere else.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from oslo_config import cfg

from zun import saga
from zun.api import events
from zun.api.app import make_app
from zun.api.auth import BasicAuth
from zun.compute import cores
from zun.compute.ask import Ask
from zun.compute.doors import DoorKeeper
from zun.compute.job import Plugs
from zun.compute.loop import AgentLoop, Pace
from zun.conductor.accept import Accept, Defaults
from zun.conductor.admin import Admin
from zun.conductor.archives import Archives
from zun.conductor.drain import Drain
from zun.conductor.events import Forget
from zun.conductor.images import HostImages
from zun.conductor.networks import Networks
from zun.conductor.place import Place
from zun.conductor.registries import Registries
from zun.conductor.streams import Streams
from zun.conductor.sweep import Sweep
from zun.conductor.vault import KeyFile
from zun.conductor.verbs import Verbs
from zun.conductor.work import Desk
from zun.conf import quota, secrets
from zun.db import revision
from zun.db.engine import Pool
from zun.db.store import SqlStore
from zun.domain.image import is_registry
from zun.drivers.image.registry import RegistryImages
from zun.drivers.inventory.local import LocalInventory
from zun.drivers.network.engine import EngineNetwork
from zun.drivers.runtime.docker import DockerRuntime
from zun.drivers.runtime.docker_spec import Guards
from zun.drivers.volume.local import LocalVolumes
from zun.interfaces import rpc
from zun.interfaces.rpc import Access, Agent, Agents, Conductor, HostReport
from zun.interfaces.runtime import Credentials, Runtime
from zun.interfaces.store import Store
from zun.pulse import Pulse
from zun.rpc import local
from zun.rpc.doors import TcpDoors
from zun.wsproxy import follow, websocket
from zun.wsproxy.app import Path as StreamPath
from zun.wsproxy.app import Proxy, StreamServer
from zun.wsproxy.sse import EventStreams

LOG = logging.getLogger(__name__)

Clock = Callable[[], datetime]

#: Seconds between two rounds of the conductor's slow work, should every poke be lost.
PLACE_EVERY = 5.0
SWEEP_EVERY = 30.0
#: Seconds that the other end of an archive may be silent.
STREAM_PATIENCE = 300.0


def utcnow() -> datetime:
    """The time in UTC, without a zone: the form of every time in this service."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(slots=True)
class ControlPlane:
    """The conductor's parts over one store."""

    accept: Accept
    verbs: Verbs
    admin: Admin
    place: Place
    sweep: Sweep
    desk: Desk
    registries: Registries
    images: HostImages
    streams: Streams
    placing: Pulse
    sweeping: Pulse
    draining: Pulse

    def start(self) -> None:
        """Begin the work that no request does, except for the placing: that begins when the hosts have been heard of."""
        self.sweeping.start()
        self.draining.start()

    def stop(self) -> None:
        """End it."""
        self.placing.stop()
        self.sweeping.stop()
        self.draining.stop()


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
        self.runtime = runtime or docker(conf, deployment(state))
        plugs = Plugs(
            runtime=self.runtime,
            images={"docker": RegistryImages(self.runtime)},
            network=EngineNetwork(),
            volumes=LocalVolumes(state / "files"),
            pull_policy=conf.default_image_pull_policy,
            default_registry=default_registry(conf),
            cores=cores.read(conf.compute.cpu_dedicated_set, conf.compute.cpu_shared_set),
        )
        agents: dict[str, Agent] = {}
        self.control = control_plane(conf, self.store, plugs, local.LocalAgents(agents), clock)
        conductor = local.link(Conductor, self.control.desk)  # type: ignore[type-abstract]
        # A create that waits from before a long pause must not find its only host down because that has not said hello yet.
        self.agent = agent(conf, conductor, plugs, clock, fault, greeted=self.control.placing.start)
        self.doors = DoorKeeper(conf.compute.stream_listen, conf.compute.stream_port, most=conf.compute.max_streams)
        agents[conf.host] = local.link(Agent, ask(conf, plugs, self.agent.poke, self.doors))  # type: ignore[type-abstract]
        self.app: Any = make_app(
            conf=conf,
            store=self.store,
            accept=self.control.accept,
            verbs=self.control.verbs,
            admin=self.control.admin,
            networks=Networks(plugs.network, self.control.verbs),
            registries=self.control.registries,
            images=self.control.images,
            streams=self.control.streams,
            proxy_port=streams.getsockname()[1] if streams else conf.websocket_proxy.wsproxy_port,
            archives=Archives(self.control.verbs, TcpDoors(STREAM_PATIENCE), largest=conf.api.max_archive_size, most=conf.api.max_archives),
            clock=clock,
            authenticate=lambda app: BasicAuth(app, conf),
        )
        asked = local.link(rpc.Streams, self.control.streams)  # type: ignore[type-abstract]
        happening = EventStreams(events.shown)
        store.listen(happening.tell)
        self.proxy = stream_server(conf, asked, streams, happening) if streams else None

    def start(self) -> None:
        """Begin to work; the WSGI application is served by whoever made this."""
        self.doors.start()
        self.control.start()
        self.agent.start()
        if self.proxy is not None:
            self.proxy.start()

    def stop(self) -> None:
        """End. Containers go on; what is under way is taken up again at the next start."""
        if self.proxy is not None:
            self.proxy.stop()
        self.doors.stop()
        self.agent.stop()
        self.control.stop()
        self.store.close()


def deployment(state: Path) -> str:
    """The name of this cloud on the labels of what it makes, so that two clouds that share an engine keep their hands off each other.

    Raises OSError for a folder that cannot be used; ValueError where the name was there and is damaged, because another name would
    disown every container that carries the old one.
    """
    path = state / "deployment"
    if not path.exists():
        partial = path.with_suffix(".partial")
        with partial.open("w") as file:
            file.write(f"{uuid.uuid4()}\n")
            file.flush()
            os.fsync(file.fileno())  # things are made in its name at once: it must not be lost in a power cut
        partial.rename(path)
    name = path.read_text(errors="replace").strip()
    try:
        return str(uuid.UUID(name))
    except ValueError:
        raise ValueError(f"{path} holds {name[:40]!r} in place of this deployment's uuid; its containers carry it as a label") from None


def database(conf: cfg.ConfigOpts, clock: Clock) -> SqlStore:
    """The database of the configuration."""
    pool = Pool(
        max_pool_size=conf.database.max_pool_size,
        max_overflow=conf.database.max_overflow,
        pool_timeout=conf.database.pool_timeout,
        connection_recycle_time=conf.database.connection_recycle_time,
    )
    return SqlStore(conf.database.connection, clock=clock, pool=pool)


def docker(conf: cfg.ConfigOpts, name: str) -> DockerRuntime:
    """The Docker engine of this host."""
    return DockerRuntime(
        conf.docker.socket_path,
        name,
        timeout=conf.docker.default_timeout,
        pull_timeout=conf.docker.pull_timeout,
        memory_swap=conf.docker.default_memory_swap,
        guards=Guards(pids=conf.docker.pids_limit, log_size=conf.docker.log_max_size, log_files=conf.docker.log_max_files),
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


def default_registry(conf: cfg.ConfigOpts) -> Access | None:
    """The registry of images whose names say none. Raises ValueError for a name that no registry can have."""
    options = conf.docker
    if not options.default_registry:
        return None
    if not is_registry(options.default_registry):
        raise ValueError(f"[docker] default_registry: {options.default_registry!r} cannot begin the name of an image")
    credentials = None
    if options.default_registry_username and options.default_registry_password:
        credentials = Credentials(
            domain=options.default_registry, username=options.default_registry_username, password=options.default_registry_password
        )
    return Access(domain=options.default_registry, credentials=credentials)


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


def control_plane(conf: cfg.ConfigOpts, store: Store, plugs: Plugs, agents: Agents, clock: Clock) -> ControlPlane:
    """The conductor's parts; ``plugs`` are asked only what they would refuse."""
    inventory = LocalInventory(clock, conf.compute.service_down_time)
    place = Place(store, inventory, clock=clock, poke=lambda host: agents.on(host).look())
    placing = Pulse("conductor-place", place.run, every=PLACE_EVERY)
    forget = Forget(store, clock=clock, retention=conf.events.retention, most=conf.events.most)
    sweep = Sweep(store, clock=clock, service_down_time=conf.compute.service_down_time, forget=forget.run)
    # A host that was up when this process ended is given one round to say that it still is.
    streams = Streams(store, agents, clock=clock, lifetime=conf.websocket_proxy.token_ttl)

    def round_of_sweeping() -> None:
        streams.sweep()
        sweep.run()

    sweeping = Pulse("conductor-sweep", round_of_sweeping, every=SWEEP_EVERY, first_after=SWEEP_EVERY)

    def poke(host: str | None) -> None:
        """Work is for its host, or for the placer while it has none."""
        if host is None:
            placing.poke()
        else:
            agents.on(host).look()

    # A drain that was under way when this process ended goes on at once.
    draining = Pulse("conductor-drain", Drain(store, inventory, clock=clock, poke=poke).run, every=SWEEP_EVERY)

    def look_at_hosts() -> None:
        sweeping.poke()
        draining.poke()

    defaults = decided(conf)
    vault = secrets.vault(conf)
    return ControlPlane(
        accept=Accept(
            store,
            inventory,
            network=plugs.network,
            volumes=plugs.volumes,
            images=plugs.images,
            clock=clock,
            defaults=defaults,
            poke=placing.poke,
            poke_host=poke,
            chance=random.SystemRandom(),
        ),
        verbs=Verbs(
            store,
            agents,
            inventory,
            clock=clock,
            defaults=defaults,
            service_down_time=conf.compute.service_down_time,
            poke=poke,
            images=plugs.images,
        ),
        admin=admin(conf, store, clock, look_at_hosts),
        place=place,
        sweep=sweep,
        desk=Desk(store, inventory, clock=clock, poke=poke, vault=vault),
        registries=Registries(store, vault),
        images=HostImages(store, agents, plugs.images, clock=clock, service_down_time=conf.compute.service_down_time, poke=poke),
        streams=streams,
        placing=placing,
        sweeping=sweeping,
        draining=draining,
    )


def admin(conf: cfg.ConfigOpts, store: Store, clock: Clock, sweep: Callable[[], None] = lambda: None) -> Admin:
    """What operators decide. Who has no ``sweep`` leaves it to the service to notice what was decided."""
    down = conf.compute.service_down_time
    configured = decided(conf).quota
    return Admin(store, LocalInventory(clock, down), clock=clock, configured=configured, service_down_time=down, sweep=sweep)


def agent(
    conf: cfg.ConfigOpts, conductor: Conductor, plugs: Plugs, clock: Clock, fault: saga.FaultPoint, greeted: Callable[[], None]
) -> AgentLoop:
    """The agent of this host."""

    def report() -> HostReport:
        return HostReport(
            facts=plugs.runtime.facts(),
            availability_zone=conf.compute.default_availability_zone,
            cpu_dedicated_set=plugs.cores.dedicated,
            cpu_shared_set=plugs.cores.shared,
            numa_topology=plugs.cores.nodes,
            cpu_allocation_ratio=conf.compute.cpu_allocation_ratio,
            ram_allocation_ratio=conf.compute.ram_allocation_ratio,
            reserved_memory=conf.compute.reserved_host_memory,
        )

    pace = Pace(
        poll=conf.compute.work_poll_interval,
        heartbeat=conf.compute.heartbeat_interval,
        scan=conf.compute.sync_container_state_interval,
        engine_wait=conf.compute.engine_wait,
        parallel=conf.compute.max_parallel_work,
        probes=conf.compute.max_parallel_probes,
    )
    return AgentLoop(conf.host, conductor, plugs, report=report, clock=clock, pace=pace, fault=fault, greeted=greeted)


def stream_server(conf: cfg.ConfigOpts, streams: rpc.Streams, listening: socket.socket, happening: EventStreams) -> StreamServer:
    """The stream proxy on a bound socket; what it is told is all that it knows."""
    options = conf.websocket_proxy
    proxy = Proxy(
        streams=streams,
        scheme="wss" if (options.base_url or "").startswith("wss:") else "ws",
        origins=options.allowed_origins,
        ping_interval=options.ping_interval,
        max_streams=options.max_streams,
        max_streams_per_project=options.max_streams_per_project,
    )
    return StreamServer(
        proxy, [StreamPath("/", websocket.serve), StreamPath("/events", happening.serve), StreamPath("/logs", follow.serve)], listening
    )


def ask(conf: cfg.ConfigOpts, plugs: Plugs, poke: Callable[[], None], doors: DoorKeeper) -> Ask:
    """What the agent of this host answers while the caller waits."""
    return Ask(
        plugs.runtime,
        poke,
        images=plugs.images,
        doors=doors,
        execute_timeout=conf.docker.execute_timeout,
        log_limit=conf.compute.log_limit,
        output_limit=conf.compute.execute_output_limit,
    )
