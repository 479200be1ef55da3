"""What the two sides say to each other: hosts to conductors, and the API to hosts. They meet nowhere else.

Everything that crosses is a domain entity or one of the structs below; ``zun.rpc.codec`` encodes it even when both sides are one process.
A method marked :func:`cast` is sent and forgotten: its loss delays work, never loses it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from zun.domain.action import Action, StepEvent
from zun.domain.container import Container
from zun.domain.event import Event
from zun.domain.host_image import Image
from zun.domain.lifecycle import Observation
from zun.domain.sandbox import Sandbox
from zun.domain.stream import StreamKind
from zun.interfaces.runtime import Credentials, ExecResult, FoundImage, HostFacts, ProcessList, Stats
from zun.interfaces.streams import ArchiveDoor, Door

M = TypeVar("M", bound=Callable[..., None])


def cast(method: M) -> M:
    """Mark a method of a Protocol as sent and forgotten."""
    method.__cast__ = True  # type: ignore[attr-defined]
    return method


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """A sandbox that a host is in charge of, with all its containers."""

    sandbox: Sandbox
    containers: list[Container]


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """What the containers of a sandbox may use together: cores, MiB."""

    sandbox_uuid: str
    cpu: float
    memory: int


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One action with all that is needed to do it."""

    action: Action
    charge: Charge


class ImageWork(msgspec.Struct, frozen=True, kw_only=True):
    """One action on an image of the host."""

    action: Action
    image: Image


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """A registry, and what opens it, if the project has an account there."""

    domain: str
    credentials: Credentials | None = None


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a claim: new work, and the uuids of actions in hand that a delete has overtaken."""

    work: list[Work] = []
    images: list[ImageWork] = []
    cancelled: list[str] = []


class SandboxFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a sandbox on its host."""

    sandbox_uuid: str
    engine_id: str | None = None
    hostname: str | None = None
    addresses: dict[str, list[dict[str, Any]]] = {}
    #: on its own ports; None leaves what is known as it is
    security_groups: list[str] | None = None


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an image on its host."""

    image_id: str | None = None
    size: int | None = None
    digest: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an action ended. ``reason`` is None for success; ``leftovers`` names the steps whose undoing failed; of a forced
    deletion, those that failed."""

    action_uuid: str
    reason: str | None = None
    observations: list[Observation] = []
    sandbox: SandboxFacts | None = None
    #: by container, the ports that its image exposes
    ports: dict[str, list[int]] = {}
    #: by container, the digest in its registry of the image that it was made of
    digests: dict[str, str | None] = {}
    #: of the image that the work was on, or that it made
    image: ImageFacts | None = None
    events: list[StepEvent] = []
    leftovers: list[str] = []


class HostReport(msgspec.Struct, frozen=True, kw_only=True):
    """A heartbeat: what the engine of the host tells, and the agent's configuration that the conductor must know."""

    facts: HostFacts
    availability_zone: str
    #: cores that are given away, each to one container, and those of all others (empty: any)
    cpu_dedicated_set: list[int] = []
    cpu_shared_set: list[int] = []
    #: the cores of each NUMA node
    numa_topology: list[list[int]] = []
    cpu_allocation_ratio: float = 16.0
    ram_allocation_ratio: float = 1.5
    reserved_memory: int = 0
    reserved_cpus: int = 0
    #: GiB that images may take
    reserved_disk: int = 0
    #: whether Nova has instances here, and has written down in Placement what the host has
    shared_with_nova: bool = False


class Conductor(Protocol):
    """What a host may ask of the conductors. ``epoch`` names one life of the host's agent.

    All but hello and unknown raise Superseded, or do nothing, for a life that another one has followed.
    """

    def hello(self, host: str, epoch: str, report: HostReport) -> list[Charge]:
        """The agent has begun a life. What an earlier life had in hand is handed out again. Answers all that the host is in charge of."""

    def heartbeat(self, host: str, epoch: str, report: HostReport) -> list[str]:
        """The agent lives and its engine answers. Answers the containers of which nothing is known, to be told of again."""

    def claim(self, host: str, epoch: str, in_hand: list[str], limit: int) -> Claimed:
        """Take up to ``limit`` actions in hand, never two of one sandbox. ``in_hand`` names those that the agent has already."""

    def finish(self, host: str, epoch: str, outcome: Outcome, number: int = 0) -> None:
        """Report the end of an action; may be repeated. ``number`` is as for :meth:`observe`."""

    def observe(self, host: str, epoch: str, observations: list[Observation], sandboxes: list[SandboxFacts], number: int = 0) -> None:
        """Report what was seen; may be repeated. ``number`` grows with every report of a life, and stays when one is repeated: what comes
        after a newer report is old news, and dropped. 0 is not numbered."""

    def unknown(self, host: str, sandboxes: list[str]) -> list[str]:
        """Those of ``sandboxes`` that no row places on this host: nobody's, to be removed."""

    def unknown_containers(self, host: str, containers: list[str]) -> list[str]:
        """Those of ``containers`` that no row places on this host, whatever it says of their sandboxes."""

    def registry(self, host: str, epoch: str, action_uuid: str, registry_uuid: str) -> Access:
        """What opens a registry, for an action that this life of the host has in hand and that needs it. Raises RegistryNotFound for
        any other."""

    def hears(self) -> None:
        """Whether what a host says would be written down just now: raises StoreUnavailable where it would not."""

    @cast
    def progress(self, host: str, epoch: str, action_uuid: str, event: StepEvent) -> None:
        """How far a step has come that takes long. What comes too late changes nothing."""


class Agent(Protocol):
    """What may be asked of one host. The calls answer with the errors of the runtime interface."""

    @cast
    def look(self) -> None:
        """There is work."""

    def logs(self, container_uuid: str, stdout: bool, stderr: bool, timestamps: bool, tail: int | None, since: datetime | None) -> bytes:
        """The container's log, at most the agent's bound of it, the newest part."""

    def execute(self, container_uuid: str, command: list[str]) -> ExecResult:
        """Run a command in the container and wait for its end."""

    def top(self, container_uuid: str, ps_args: str | None) -> ProcessList:
        """The container's processes."""

    def stats(self, container_uuid: str) -> Stats:
        """What the container uses just now."""

    def update(self, container_uuid: str, cpu: float | None, memory: int | None, cpuset: list[int] | None, whole: Whole | None) -> None:
        """Change the container's limits, the cores that it has to itself, and then the limits of its sandbox where that has its own."""

    def end(self, container_uuid: str) -> None:
        """End the container at once, whatever is being waited for in the work on it. Where it does not run, nothing."""

    # -- doors: each is open for one connection (zun.interfaces.streams) ---------------------------

    def open_attach(self, container_uuid: str) -> Door:
        """A door to what the container's first process reads and writes."""

    def exec_create(self, container_uuid: str, command: list[str], tty: bool) -> str:
        """Make a command ready to be run in the container. Returns its id, 64 hexadecimal digits."""

    def open_exec(self, container_uuid: str, exec_id: str) -> Door:
        """A door to that command: it is run when somebody comes through, and ended when he goes."""

    def resize(self, container_uuid: str, height: int, width: int) -> None:
        """Give the container's terminal a size, in characters."""

    def exec_resize(self, container_uuid: str, exec_id: str, height: int, width: int) -> None:
        """Give the terminal of a command a size. Raises NoSuchExec."""

    def open_follow(
        self, container_uuid: str, stdout: bool, stderr: bool, timestamps: bool, tail: int | None, since: datetime | None
    ) -> Door:
        """A door to the container's log, and to what is written from now on."""

    def open_read(self, container_uuid: str, path: str) -> ArchiveDoor:
        """A door to a tar archive of what is at a path. Raises NoSuchPath."""

    def open_write(self, container_uuid: str, path: str) -> Door:
        """A door for a tar archive that is unpacked at a path as it comes. What is wrong with either is told behind the door."""

    # -- images ----------------------------------------------------------------------------------

    def search_images(self, driver: str, term: str, exact: bool) -> list[FoundImage]:
        """Images whose names have the term in them, or are it, as the image driver finds them."""


class Rounds(Protocol):
    """What a conductor goes on with when it is called."""

    @cast
    def place(self) -> None:
        """Something waits for a host."""

    @cast
    def look_at_hosts(self) -> None:
        """An operator has decided something of a host."""

    @cast
    def clear_away(self) -> None:
        """Something is gone that may have left something in other services."""

    @cast
    def follow(self, consumer: str) -> None:
        """The rows say something else of what this container or capsule takes; another account than ours is to be put right."""


class News(Protocol):
    """What a stream proxy is told."""

    @cast
    def tell(self, projects: list[str]) -> None:
        """Something has happened in these projects."""


class Agents(Protocol):
    """The way to every host's agent."""

    def on(self, host: str) -> Agent:
        """The agent of one host. A call raises RpcUnavailable when nobody answers there."""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a ticket was good for. ``door`` leads to the stream of a container; events have none, but ``arguments``: what was asked."""

    kind: StreamKind
    project_id: str
    container_uuid: str | None = None
    door: Door | None = None
    arguments: dict[str, Any] = {}


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what happened. Whoever has it goes on from ``cursor``, and has missed nothing; ``more`` is to be had at once.

    ``reset``: what was asked for is no longer kept, so something was missed.
    """

    events: list[Event]
    cursor: int
    more: bool
    reset: bool = False


class Streams(Protocol):
    """What a stream proxy may ask of the conductors."""

    def redeem(self, token: str, container_uuid: str | None, exec_id: str | None) -> Grant:
        """Give a ticket's token for what it is good for; it is worth nothing afterwards, whatever becomes of the stream.

        Raises Unauthorized for a token that is none, is used up or too old, or is for another container or another command, and what the
        container's host answers.
        """

    def events(self, project_id: str, after: int | None, limit: int, filters: dict[str, list[str]]) -> Happened:
        """What happened in a project after a cursor, in order, and meets the filters: by field, the values that it may have. With None:
        nothing, and the cursor of now."""
