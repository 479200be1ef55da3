"""A container engine in memory, with the promises of a real one, for speed and for faults.

A :class:`FakeEngine` outlives its clients, as an engine outlives the service; :class:`~zun.drivers.runtime.fake.FakeRuntime` is one
client of one deployment. Nothing in here sleeps; only ``events`` and a call that a test has hung wait, on one condition variable.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from zun import errors
from zun.domain import cpuset
from zun.domain.lifecycle import EngineState, Health
from zun.interfaces.runtime import ContainerSpec, EngineEvent, EngineImage, SandboxSpec

E = EngineState
ALIVE = frozenset({E.RUNNING, E.PAUSED})
_NEWS_KEPT = 1000


#: of the host
CORES = 4


def _ceiling(limit: float) -> str:
    """Microseconds of each period, as Linux counts them; a hundredth of a core is the least."""
    return f"{max(1000, round(limit * 100_000)) if limit else 'max'} 100000\n"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Program:
    """What a command does in the fake. The default runs until it is ended and heeds SIGTERM with exit code 0."""

    #: what it writes, and on which stream (1 or 2)
    writes: tuple[tuple[int, bytes], ...] = ()
    #: it ends by itself with this exit code; None: it runs on
    ends: int | None = None
    #: its exit code on SIGTERM; None: it takes no notice
    heeds_term: int | None = 0
    #: it cannot be started, and this is why
    fails: str | None = None
    #: MiB that it takes: with less it is killed
    needs: int = 0
    #: it listens on this port, or asks this port of its own host and fails when nobody answers
    listens: int | None = None
    asks: int | None = None
    #: what it says to whoever connects to the port that it listens on
    answers: bytes = b"HTTP/1.0 200 OK\r\n\r\n"
    #: what it reads it writes
    echoes: bool = False
    #: it shows the command of the process 1 that it sees
    shows_init: bool = False
    #: it shows the cores that it may run on, or what it may use of them at most, as a kernel has them
    shows_cores: bool = False
    shows_ceiling: bool = False


#: what well-known health checks say, at once; others say nothing until :meth:`FakeEngine.feel` has them say it
VERDICTS = {"true": Health.HEALTHY, "false": Health.UNHEALTHY}

#: what an unknown command does when it is executed in a container: nothing, well
_QUICK = Program(ends=0)


@dataclass(slots=True, eq=False)
class Exec:
    """A command that somebody talks with; ``running`` is None before it was run."""

    program: Program
    running: bool | None = None
    size: tuple[int, int] | None = None


@dataclass(slots=True, eq=False)
class Thing:
    """A sandbox or a container in the engine."""

    engine_id: str
    deployment: str
    spec: SandboxSpec | ContainerSpec
    #: the sandbox's own thing; itself for a sandbox
    sandbox: Thing | None = None
    program: Program = field(default_factory=Program)
    state: EngineState = E.CREATED
    exit_code: int | None = None
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cpu: float = 0.0
    memory: int = 0
    cpuset: list[int] = field(default_factory=list)
    log: list[tuple[datetime, int, bytes]] = field(default_factory=list)
    #: by path; a directory is what files are in
    files: dict[str, bytes] = field(default_factory=lambda: {"/etc/group": b"root:x:0:\n", "/root/.profile": b""})
    execs: dict[str, Exec] = field(default_factory=dict)
    #: its network namespace: a sandbox has one of its own in every life
    network: str | None = None
    #: what its health check says, while it lives
    health: Health | None = None

    @property
    def sandbox_uuid(self) -> str:
        """The sandbox that it is, or is in."""
        return self.spec.sandbox_uuid if isinstance(self.spec, ContainerSpec) else self.spec.uuid

    @property
    def container_uuid(self) -> str | None:
        """The container that it is, None for a sandbox."""
        return self.spec.uuid if isinstance(self.spec, ContainerSpec) else None

    @property
    def revision(self) -> int:
        """Which of the container's objects it is."""
        return self.spec.revision if isinstance(self.spec, ContainerSpec) else 0

    @property
    def memory_limit(self) -> int:
        """MiB; the smaller of its own limit and its sandbox's, 0 without any."""
        limits = [limit for limit in (self.memory, self.sandbox.memory if self.sandbox else 0) if limit]
        return min(limits, default=0)


@dataclass(slots=True)
class _Fault:
    """What shall happen to the next calls of one name."""

    error: Exception | None
    #: the engine does what was asked, and only its answer is lost
    after: bool
    times: int
    released: bool = False


class Hang:
    """A call that the engine does not answer until :meth:`release`."""

    def __init__(self, engine: FakeEngine, fault: _Fault) -> None:
        self._engine, self._fault = engine, fault

    def release(self) -> None:
        """Let the waiting calls go on."""
        with self._engine.changed:
            self._fault.released = True
            self._engine.changed.notify_all()


class FakeEngine:
    """The engine: things, images, programs, news, and the faults that a test orders."""

    def __init__(self, images: Mapping[str, EngineImage] | None = None, clock: Callable[[], datetime] = _now) -> None:
        #: guards everything here; notified of every change
        self.changed = threading.Condition()
        self.clock = clock
        self.up = True
        self.things: dict[str, Thing] = {}
        #: by canonical reference: what the engine holds, and what its registry would give
        self.images: dict[str, EngineImage] = dict(images or {})
        self.registry: dict[str, EngineImage] = {}
        #: what its programs are built for
        self.architecture = "amd64"
        #: by domain, user and password that open a registry; and what was shown to which domain, the newest last
        self.accounts: dict[str, tuple[str, str]] = {}
        self.unreachable = {"127.0.0.1:1"}
        self.shown: deque[tuple[str, tuple[str, str] | None]] = deque(maxlen=_NEWS_KEPT)
        self.programs: dict[tuple[str, ...], Program] = {}
        #: numbered, with the deployment that each is of
        self.news: deque[tuple[int, str, EngineEvent]] = deque(maxlen=_NEWS_KEPT)
        #: the names of the calls made, the newest last
        self.calls: deque[tuple[str, str]] = deque(maxlen=_NEWS_KEPT)
        self._faults: dict[str, list[_Fault]] = {}
        self._numbers = itertools.count(1)

    # -- what a test orders ----------------------------------------------------------------------

    def fail(self, call: str, error: Exception, *, times: int = 1, after: bool = False) -> None:
        """The next ``times`` calls of this name raise ``error``; with ``after`` once they have been carried out."""
        with self.changed:
            self._faults.setdefault(call, []).append(_Fault(error, after, times))

    def hang(self, call: str, *, after: bool = False) -> Hang:
        """The next call of this name gets no answer until the returned hang is released, its client closed or the engine stopped."""
        fault = _Fault(None, after, 1)
        with self.changed:
            self._faults.setdefault(call, []).append(fault)
        return Hang(self, fault)

    def stop(self, *, containers_end: bool = True) -> None:
        """Take the engine down, by default with every container, as an engine does that is asked to end."""
        with self.changed:
            if containers_end:
                for thing in self.things.values():
                    if thing.state in ALIVE:
                        self.end(thing, 137)
            self.up = False
            self.changed.notify_all()

    def start(self) -> None:
        """Bring the engine up again."""
        with self.changed:
            self.up = True
            self.changed.notify_all()

    def die(self, uuid: str, exit_code: int, error: str | None = None) -> None:
        """The container (or, by its uuid, the sandbox) ends by itself."""
        with self.changed:
            self.end(self._live(uuid), exit_code, error)

    def feel(self, uuid: str, health: Health) -> None:
        """The container's health check says this from now on."""
        with self.changed:
            self._feel(self._live(uuid), health)

    def _feel(self, thing: Thing, health: Health) -> None:
        if thing.health is not health:
            thing.health = health
            self.tell(thing, f"health_status: {health}")

    def change(self, uuid: str, **program: Any) -> None:
        """The container's program does otherwise from now on, until it is started anew."""
        with self.changed:
            thing = self._live(uuid)
            thing.program = replace(thing.program, **program)

    def lose(self, uuid: str) -> None:
        """Everything of this uuid vanishes behind our back: a container's revisions, or a sandbox without its containers."""
        with self.changed:
            for thing in [thing for thing in self.things.values() if thing.spec.uuid == uuid]:
                self.drop(thing)

    def _live(self, uuid: str) -> Thing:
        return next(thing for thing in reversed(self.things.values()) if thing.spec.uuid == uuid and thing.state in ALIVE)

    # -- what a client does, with the condition held ---------------------------------------------

    @contextmanager
    def call(self, name: str, uuid: str, closed: Callable[[], bool]) -> Iterator[None]:
        """One call: nothing else happens in the engine meanwhile; ordered faults happen before or after it."""
        with self.changed:
            self._answers(closed)
            self.calls.append((name, uuid))
            fault = self._fault(name)
            if fault and not fault.after:
                self._suffer(fault, closed)
            yield
            if fault and fault.after:
                self._suffer(fault, closed)

    def make(self, deployment: str, spec: SandboxSpec | ContainerSpec, sandbox: Thing | None) -> Thing:
        """A new thing."""
        words = (*spec.entrypoint, *spec.command) if isinstance(spec, ContainerSpec) else ()
        made = Thing(f"{next(self._numbers):064x}", deployment, spec, sandbox, self.programs.get(words, Program()))
        made.cpu, made.memory = spec.cpu, spec.memory
        made.cpuset = sorted(spec.cpuset) if isinstance(spec, ContainerSpec) else []
        self.things[made.engine_id] = made
        return made

    def follow(self, old: Thing, sandbox: Thing) -> Thing:
        """A container made anew in another sandbox; the old one, which does not run, goes."""
        new = self.make(old.deployment, old.spec, sandbox)
        new.cpu, new.memory, new.cpuset = old.cpu, old.memory, old.cpuset
        self.drop(old)
        return new

    def begin(self, thing: Thing) -> None:
        """Start it. Raises EngineError where it cannot be started; a program that ends by itself has ended when this returns."""
        if thing.program.fails is not None:
            thing.error = thing.program.fails
            raise errors.EngineError(reason=thing.program.fails)
        thing.state, thing.started_at = E.RUNNING, self.clock()
        thing.exit_code = thing.error = thing.finished_at = None
        thing.network = thing.sandbox.network if thing.sandbox else f"net:[{next(self._numbers)}]"
        thing.log += [(self.clock(), stream, content) for stream, content in thing.program.writes]
        self.tell(thing, "start")
        check = thing.spec.healthcheck.get("test") if isinstance(thing.spec, ContainerSpec) else None
        if check is not None:
            thing.health = Health.STARTING
            if check in VERDICTS:
                self._feel(thing, VERDICTS[check])
        if thing.program.needs > (thing.memory_limit or thing.program.needs):
            self.tell(thing, "oom")
            self.end(thing, 137)
        elif thing.program.ends is not None:
            self.end(thing, thing.program.ends)

    def end(self, thing: Thing, exit_code: int, error: str | None = None) -> None:
        """It ends."""
        thing.state, thing.exit_code, thing.error, thing.finished_at = E.EXITED, exit_code, error, self.clock()
        thing.network = thing.health = None
        self.tell(thing, "die")

    def drop(self, thing: Thing) -> None:
        """It is removed, running or not."""
        if thing.state in ALIVE:
            self.end(thing, 137)
        del self.things[thing.engine_id]
        self.tell(thing, "destroy")

    def number(self) -> int:
        """One that nothing here has."""
        return next(self._numbers)

    def tell(self, thing: Thing, what: str) -> None:
        """Make it news."""
        event = EngineEvent(sandbox_uuid=thing.sandbox_uuid, container_uuid=thing.container_uuid, what=what, at=self.clock())
        self.news.append((next(self._numbers), thing.deployment, event))
        self.changed.notify_all()

    def ran(self, thing: Thing, command: Sequence[str]) -> tuple[bytes, int | None]:
        """What a command in a running container writes, and its exit code (None: it would never end)."""
        program = self.programs.get(tuple(command), _QUICK)
        if program.fails is not None:
            return program.fails.encode(), 126
        output = b"".join(content for _, content in program.writes)
        if program.shows_init and isinstance(thing.spec, ContainerSpec):
            output += b"/pause" if thing.spec.share_process_namespace else "\0".join((*thing.spec.entrypoint, *thing.spec.command)).encode()
        if isinstance(thing.spec, ContainerSpec):
            output += b"Cpus_allowed_list:\t%s\n" % cpuset.text(thing.cpuset or range(CORES)).encode() * program.shows_cores
            output += _ceiling(thing.spec.cpu_limit).encode() * program.shows_ceiling
        if program.asks is not None:
            beside = (other for other in self.things.values() if other.sandbox is thing.sandbox and other.state is E.RUNNING)
            return output, 0 if any(other.program.listens == program.asks for other in beside) else 1
        return output, program.ends

    def wait_for_news(self, number: int, deployment: str, closed: Callable[[], bool]) -> list[tuple[int, EngineEvent]]:
        """News after ``number``; blocks until there is some, empty after the client was closed.

        Raises EngineUnavailable as the engine goes down.
        """
        with self.changed:
            while True:
                fresh = [(at, event) for at, whose, event in self.news if at > number and whose == deployment]
                if fresh or closed():
                    return fresh
                self._answers(closed)
                self.changed.wait()

    def _answers(self, closed: Callable[[], bool]) -> None:
        if closed():
            raise errors.EngineUnavailable(reason="this client has been closed")
        if not self.up:
            raise errors.EngineUnavailable(reason="Connection refused")

    def _fault(self, name: str) -> _Fault | None:
        ordered = self._faults.get(name)
        if not ordered:
            return None
        ordered[0].times -= 1
        return ordered[0] if ordered[0].times > 0 else ordered.pop(0)

    def _suffer(self, fault: _Fault, closed: Callable[[], bool]) -> None:
        if fault.error is not None:
            raise fault.error
        while not fault.released:
            self._answers(closed)
            self.changed.wait()
        self._answers(closed)
