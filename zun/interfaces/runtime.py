"""What a container engine must be able to do. The promises are tested by ``zun.conformance.runtime``.

Every call names things by our uuids, never by the engine's names: a driver writes the uuid as a label on what it makes and finds it again
by that label, so every ``ensure`` and ``remove`` may be repeated, by another process too. Every call ends within the driver's deadline.

All calls may raise :class:`~zun.errors.EngineUnavailable` (the engine does not answer; nothing is known) or
:class:`~zun.errors.EngineError` (it answered no). Calls on a container raise :class:`~zun.errors.NoSuchObject` where the engine has none,
and :class:`~zun.errors.NotRunning` where its state forbids the call. All are safe to call from several threads.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from zun.domain.lifecycle import EngineState, Health
from zun.interfaces.streams import Streaming


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What this engine, on this host, can do beyond what every engine must."""

    disk_quota: bool = False
    live_update: bool = True
    pause: bool = True
    #: limits can be set on a whole sandbox of several containers
    sandbox_limits: bool = False
    #: containers can be held to some of the cores
    cpuset: bool = True
    #: the use of cores that others leave idle can have a ceiling
    cpu_limit: bool = True
    #: what its programs are built for, in the words of OCI images ("amd64", "arm64"); empty where it does not say
    architecture: str = ""


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine tells of its host. Memory in MiB, disk in GiB."""

    cpus: int
    mem_total: int
    disk_total: int = 0
    disk_quota_supported: bool = False
    total_containers: int = 0
    architecture: str = ""
    os_type: str = ""
    os: str = ""
    kernel_version: str = ""
    labels: dict[str, str] = {}
    runtimes: list[str] = []


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What opens one registry, for pulls from ``domain`` only."""

    domain: str
    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(domain={self.domain!r}, username={self.username!r}, password=***)"


class EngineImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that the engine holds. ``id`` is the engine's digest for it; ``ports`` are those that the image exposes."""

    id: str
    ports: list[int] = []
    architecture: str = ""
    #: bytes that it takes
    size: int = 0
    #: by repository (``docker.io/library/busybox``), its digest in the registry that it came from or went to
    digests: dict[str, str] = {}


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an engine tells of an image on its way. Without any words it only says that the engine is still at it."""

    #: what it is about: a layer
    of: str = ""
    #: the engine's word: Downloading, Extracting, Pull complete, ...
    what: str = ""
    #: bytes so far and in all, where the engine counts them
    done: int | None = None
    total: int | None = None


class HeldImage(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a list of images: one name that one bears. ``size`` in bytes, those that it shares with others included."""

    name: str
    id: str
    size: int = 0


class FoundImage(msgspec.Struct, frozen=True, kw_only=True):
    """What a search has found: in a registry, or in an image service, which shows more of it (``record``, in its own words)."""

    name: str
    description: str = ""
    is_official: bool = False
    star_count: int = 0
    record: dict[str, Any] = {}


class SandboxSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a sandbox shall be."""

    uuid: str
    hostname: str | None = None
    #: OCI runtime or runtime handler; None is the engine's default
    runtime: str | None = None
    #: "engine": the engine's own bridge; "none": a network namespace of its own in which a network driver will plug
    network: str = "engine"
    #: limits of all containers together (cores, MiB); 0 is none. A sandbox of one carries them on its container.
    cpu: float = 0.0
    memory: int = 0


class SandboxState(msgspec.Struct, frozen=True, kw_only=True):
    """What a sandbox is. ``addresses`` is in the form of the REST contract, section 6; ``netns`` a path on the host while it runs."""

    uuid: str
    engine_id: str
    running: bool
    hostname: str | None = None
    addresses: dict[str, list[dict[str, Any]]] = {}
    netns: str | None = None
    #: the kernel's name for its network namespace while it runs; None where that cannot be seen
    network: str | None = None


class Bind(msgspec.Struct, frozen=True, kw_only=True):
    """A file or directory of the host, seen in the container."""

    source: str
    destination: str
    read_only: bool = False


class ContainerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a container shall be. ``image`` is the engine's image id. Memory in MiB, disk in GiB, 0 is no limit."""

    uuid: str
    sandbox_uuid: str
    name: str
    image: str
    #: counts the objects made for this container: a rebuild makes the next one beside the old one
    revision: int = 0
    command: list[str] = []
    entrypoint: list[str] = []
    environment: dict[str, str] = {}
    labels: dict[str, str] = {}
    workdir: str | None = None
    interactive: bool = False
    tty: bool = False
    privileged: bool = False
    cpu: float = 0.0
    #: cores that it may use at most, also where others leave them idle; 0 is no ceiling
    cpu_limit: float = 0.0
    #: the cores that it may run on; empty: any
    cpuset: list[int] = []
    memory: int = 0
    disk: int = 0
    #: keys test (a shell command), interval, timeout (seconds), retries
    healthcheck: dict[str, Any] = {}
    binds: list[Bind] = []
    runtime: str | None = None
    #: it sees the processes of all containers of its sandbox that have this too, and the sandbox's own first process
    share_process_namespace: bool = False


class ContainerState(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine shows of one container. Times are UTC; ``started_at`` is None before the first start."""

    uuid: str
    sandbox_uuid: str
    revision: int
    engine_id: str
    state: EngineState
    exit_code: int | None = None
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    #: as its sandbox's. Another name than that one's says that the sandbox has begun another life under the container.
    network: str | None = None
    #: what its health check says; None without a check, and while it does not run
    health: Health | None = None
    #: the cores that it is held to; empty: any
    cpuset: list[int] = []


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a scan: a thing of ours in the engine. ``container_uuid`` is None for the sandbox itself."""

    sandbox_uuid: str
    container_uuid: str | None
    revision: int
    engine_id: str
    state: EngineState
    health: Health | None = None


class EngineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to a thing of ours. It says where to look, not what to believe: the receiver inspects."""

    sandbox_uuid: str
    container_uuid: str | None
    #: the engine's word, for the log: start, die, pause, destroy, ...
    what: str
    at: datetime


class ExecResult(msgspec.Struct, frozen=True, kw_only=True):
    """Output (standard output and error as they came) and exit code of a command run in a container."""

    output: bytes
    exit_code: int


class ProcessList(msgspec.Struct, frozen=True, kw_only=True):
    """The processes of a container, as ``ps`` on the host shows them."""

    titles: list[str]
    processes: list[list[str]]


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What a container uses just now. Amounts in bytes; ``cpu_percent`` is of one core."""

    cpu_percent: float
    memory_used: int
    memory_limit: int
    block_read: int = 0
    block_written: int = 0
    net_received: int = 0
    net_sent: int = 0


class Pieces(Iterator[bytes], Protocol):
    """Something long, as it comes. Who does not read it to the end closes it."""

    def close(self) -> None:
        """Give up what it comes by; may be repeated."""


class Runtime(Streaming, Protocol):
    """A container engine on this host; what it streams is promised in :mod:`zun.interfaces.streams`."""

    name: str

    def capabilities(self) -> Capabilities:
        """What this engine can do."""

    def facts(self) -> HostFacts:
        """What the engine tells of its host."""

    def close(self) -> None:
        """Give up every connection; a running :meth:`events` ends."""

    # -- images ----------------------------------------------------------------------------------

    def image(self, reference: str) -> EngineImage | None:
        """The image that the engine holds under this reference, or None."""

    def pull(self, reference: str, credentials: Credentials | None = None, progress: Callable[[Progress], None] = ...) -> EngineImage:
        """Fetch an image from its registry. ``progress`` is called with everything that the engine tells, and may raise to give up; while
        the engine tells nothing it is called now and then with an empty one, in another thread perhaps.

        Raises ImagePullFailed with the registry's reason.
        """

    def commit(self, uuid: str, reference: str) -> EngineImage:
        """Make an image of what a container has in its files now, and call it ``reference``; done again, the newer one has the name.

        A container that runs is frozen meanwhile and thawed afterwards, by the engine itself: even where it cannot be done, or nobody
        waits for its end any more.
        """

    def push(self, held: str, reference: str, credentials: Credentials | None = None, progress: Callable[[Progress], None] = ...) -> str:
        """Send the image that the engine holds under ``held`` to the registry that ``reference`` names; returns its digest there.

        What the engine holds under ``reference`` stays what it was, all the while for every other call here, and afterwards for
        everybody. ``progress`` is as with :meth:`pull`. Raises ImagePushFailed with the registry's reason.
        """

    def images(self, under: str) -> list[HeldImage]:
        """What the engine holds under names of this repository (``zun.invalid/glance/<uuid>``), or of those that are one step below it."""

    def load(self, pieces: Iterator[bytes], reference: str) -> EngineImage:
        """Have the image of a Docker archive (the tar of ``docker save``), which comes by and by and calls its one image ``reference``.

        An archive that is broken off makes no image; what ``pieces`` raises breaks it off, and is raised. Raises EngineError with the
        engine's reason for one that is none.
        """

    def save(self, reference: str) -> Pieces:
        """A Docker archive of an image, as it comes. Raises NoSuchObject, and EngineUnavailable in the middle, too."""

    def remove_image(self, reference: str) -> None:
        """Take the name from an image, and the image with its last name. Nothing there is success. Raises ImageInUse where a container
        is made of it."""

    def search_images(self, term: str, limit: int) -> list[FoundImage]:
        """What a registry's search finds: the hub's, or that of the registry that ``term`` begins with. Raises ImageSearchFailed."""

    # -- sandboxes -------------------------------------------------------------------------------

    def ensure_sandbox(self, spec: SandboxSpec) -> SandboxState:
        """Make the sandbox if there is none, start it if it does not run. A container that was made for one that is gone lives on as it
        is, in what is left of that; its next :meth:`start` brings it into the new one."""

    def sandbox(self, uuid: str) -> SandboxState | None:
        """What the sandbox is, or None."""

    def limit_sandbox(self, uuid: str, cpu: float, memory: int) -> None:
        """Hold all containers of the sandbox together to these limits (cores, MiB; 0 leaves that limit as it is) from now on. Nothing is
        done where there is no such sandbox, or none of its own limits. Raises EngineError where they use more than that now."""

    def remove_sandbox(self, uuid: str) -> None:
        """Remove the sandbox and every container in it, whatever their state. Nothing there is success."""

    # -- containers ------------------------------------------------------------------------------

    def ensure_container(self, spec: ContainerSpec) -> ContainerState:
        """Make the container (of this revision) if there is none; it is not started. Its sandbox must run."""

    # A call on a container is on its newest revision, unless it names another; one that is not there is as no container.

    def inspect(self, uuid: str, revision: int | None = None) -> ContainerState | None:
        """What the container is, or None."""

    def start(self, uuid: str, revision: int | None = None) -> ContainerState:
        """Start it; running already is success. Its sandbox must run.

        A container that was made for a sandbox that is gone, or that its engine does not start under the ``engine_id`` that it has, may be
        made anew (another ``engine_id``, the same revision). Then it keeps its settings, what it had written and its volumes; only its log
        begins anew.
        """

    def stop(self, uuid: str, timeout: int | None = None, revision: int | None = None) -> ContainerState:
        """Ask it to end, and end it after ``timeout`` seconds (None: the engine's default). Ended already is success."""

    def kill(self, uuid: str, signal: str) -> ContainerState:
        """Send a signal by its plain name, such as ``TERM``."""

    def pause(self, uuid: str) -> ContainerState:
        """Freeze its processes; frozen already is success."""

    def unpause(self, uuid: str) -> ContainerState:
        """Thaw its processes; thawed already is success."""

    def update(self, uuid: str, cpu: float | None = None, memory: int | None = None, cpuset: Sequence[int] | None = None) -> None:
        """Change its limits, or the cores that it may run on, while it lives. What is None stays as it is; ``cpuset`` is never empty."""

    def remove(self, uuid: str, keep_revision: int | None = None) -> None:
        """Remove the container, running or not; with ``keep_revision`` only its other revisions. Nothing there is success."""

    # -- looking inside --------------------------------------------------------------------------

    def logs(
        self,
        uuid: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        timestamps: bool = False,
        tail: int | None = None,
        since: datetime | None = None,
    ) -> Iterator[bytes]:
        """What it has written, in pieces; both streams in the order of writing as far as the engine keeps it."""

    def execute(self, uuid: str, command: Sequence[str], *, timeout: float, limit: int) -> ExecResult:
        """Run a command in it and wait. Raises ExecTimeout after ``timeout`` seconds, having ended the command; at most ``limit`` bytes
        of output are kept."""

    def dial(self, sandbox_uuid: str, port: int, *, host: str | None = None, timeout: float) -> socket.socket:
        """A TCP connection from inside a running sandbox's network to an address there; without a ``host`` to the sandbox's own, or to
        loopback where it has none. It is the caller's to close, and its steps have ``timeout`` seconds each.

        Raises OSError where nobody takes it, TimeoutError among them; EngineError where the network cannot be entered.
        """

    def top(self, uuid: str, ps_args: str | None = None) -> ProcessList:
        """Its processes. Raises EngineError for arguments that ps refuses."""

    def stats(self, uuid: str) -> Stats:
        """What it uses just now; the network counters are its sandbox's."""

    # -- truth and news --------------------------------------------------------------------------

    def scan(self) -> list[Seen]:
        """Everything of ours in the engine, cheaply, whatever its state."""

    def events(self, since: datetime | None = None) -> Iterator[EngineEvent]:
        """News of our things, from ``since`` on, as they come; blocks. Ends after :meth:`close`."""
