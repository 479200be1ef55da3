"""A client of the engine in memory: one deployment's view of a :class:`~FakeEngine`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

import msgspec

from zun import errors
from zun.domain.lifecycle import EngineState
from zun.drivers.runtime.fake_engine import ALIVE, CORES, FakeEngine, Program, Thing
from zun.drivers.runtime.fake_images import FakeImages
from zun.drivers.runtime.fake_streams import FakeStreams
from zun.interfaces.runtime import (
    Capabilities,
    ContainerSpec,
    ContainerState,
    EngineEvent,
    ExecResult,
    HostFacts,
    ProcessList,
    SandboxSpec,
    SandboxState,
    Seen,
    Stats,
)

__all__ = ["FakeEngine", "FakeRuntime", "Program"]

E = EngineState
_HOST_MEMORY = 4096
_DEADLY = frozenset("HUP INT QUIT KILL TERM USR1 USR2 ABRT ALRM PIPE".split())


class FakeRuntime(FakeStreams, FakeImages):
    """A runtime of the fake engine. Any number of them may share one engine, in one deployment or in several."""

    name = "fake"

    def __init__(self, engine: FakeEngine, deployment: str = "test") -> None:
        self._engine, self._deployment = engine, deployment
        self._closed = False

    def capabilities(self) -> Capabilities:
        """Everything but disk quotas."""
        with self._call("capabilities"):
            return Capabilities(sandbox_limits=True, architecture=self._engine.architecture)

    def facts(self) -> HostFacts:
        """A small host."""
        with self._call("facts"):
            return HostFacts(
                cpus=CORES,
                mem_total=_HOST_MEMORY,
                disk_total=100,
                total_containers=len(self._engine.things),
                architecture="x86_64",
                os_type="linux",
                os="Fake",
                kernel_version="6.1",
                runtimes=["runc"],
            )

    def close(self) -> None:
        """End whatever waits in this client."""
        with self._engine.changed:
            self._closed = True
            self._engine.changed.notify_all()

    # -- sandboxes -------------------------------------------------------------------------------

    def ensure_sandbox(self, spec: SandboxSpec) -> SandboxState:
        """Make it or find it, and have it run."""
        with self._call("ensure_sandbox", spec.uuid):
            found = self._sandbox(spec.uuid) or self._engine.make(self._deployment, spec, None)
            found.cpu, found.memory = spec.cpu, spec.memory
            if found.state is not E.RUNNING:
                self._engine.begin(found)
            return self._sandbox_state(found)

    def sandbox(self, uuid: str) -> SandboxState | None:
        """What the sandbox is, or None."""
        with self._call("sandbox", uuid):
            found = self._sandbox(uuid)
            return self._sandbox_state(found) if found else None

    def limit_sandbox(self, uuid: str, cpu: float, memory: int) -> None:
        """Hold its containers together to these limits, if it has any."""
        with self._call("limit_sandbox", uuid):
            found = self._sandbox(uuid)
            if found is not None and (found.cpu or found.memory):
                found.cpu, found.memory = cpu or found.cpu, memory or found.memory

    def remove_sandbox(self, uuid: str) -> None:
        """Remove it with its containers."""
        with self._call("remove_sandbox", uuid):
            for thing in sorted(self._ours(sandbox=uuid), key=lambda thing: thing.container_uuid is None):
                self._engine.drop(thing)

    # -- containers ------------------------------------------------------------------------------

    def ensure_container(self, spec: ContainerSpec) -> ContainerState:
        """Make it or find it."""
        with self._call("ensure_container", spec.uuid):
            sandbox = self._sandbox(spec.sandbox_uuid)
            if sandbox is None:
                raise errors.NoSuchObject(id=spec.sandbox_uuid, engine=self.name)
            if sandbox.state is not E.RUNNING:
                raise errors.NotRunning(id=spec.uuid, reason="its sandbox does not run")
            found = next((thing for thing in self._ours(container=spec.uuid) if thing.revision == spec.revision), None)
            if found is not None and found.state is E.CREATED and found.sandbox is not sandbox:
                self._engine.drop(found)
                found = None
            if found is None:
                if spec.image not in {held.id for held in self._engine.images.values()}:
                    raise errors.EngineError(reason=f"No such image: {spec.image}")
                if max(spec.cpuset, default=0) >= CORES:
                    raise errors.EngineError(reason=f"there are no cores {spec.cpuset}, only {CORES} of them")
                found = self._engine.make(self._deployment, spec, sandbox)
            return _state(found)

    def inspect(self, uuid: str, revision: int | None = None) -> ContainerState | None:
        """What it is, or None."""
        with self._call("inspect", uuid):
            found = self._newest(uuid, revision)
            return _state(found) if found else None

    def start(self, uuid: str, revision: int | None = None) -> ContainerState:
        """Start it."""
        with self._call("start", uuid):
            found = self._need(uuid, revision=revision)
            if found.state in (E.CREATED, E.EXITED):
                sandbox = self._sandbox(found.sandbox_uuid)
                if sandbox is None or sandbox.state is not E.RUNNING:
                    raise errors.EngineError(reason="cannot join the network of a container that does not run")
                if found.sandbox is not sandbox:
                    found = self._engine.follow(found, sandbox)
                self._engine.begin(found)
            elif found.state is not E.RUNNING:
                raise errors.NotRunning(id=uuid, reason=f"it is {found.state}")
            return _state(found)

    def stop(self, uuid: str, timeout: int | None = None, revision: int | None = None) -> ContainerState:
        """End it: at once, since nothing sleeps here."""
        with self._call("stop", uuid):
            found = self._need(uuid, revision=revision)
            if found.state in ALIVE:
                heeds = found.program.heeds_term
                self._engine.end(found, 137 if heeds is None else heeds)
            return _state(found)

    def kill(self, uuid: str, signal: str) -> ContainerState:
        """Send a signal; what a program does not heed as process 1 has no effect, as in a kernel."""
        with self._call("kill", uuid):
            found = self._need(uuid, *ALIVE)
            if signal == "KILL":
                self._engine.end(found, 137)
            elif signal in _DEADLY and found.program.heeds_term is not None:
                self._engine.end(found, found.program.heeds_term)
            return _state(found)

    def pause(self, uuid: str) -> ContainerState:
        """Freeze it."""
        return self._turn("pause", uuid, E.RUNNING, E.PAUSED)

    def unpause(self, uuid: str) -> ContainerState:
        """Thaw it."""
        return self._turn("unpause", uuid, E.PAUSED, E.RUNNING)

    def update(self, uuid: str, cpu: float | None = None, memory: int | None = None, cpuset: Sequence[int] | None = None) -> None:
        """Change its limits, or its cores."""
        with self._call("update", uuid):
            found = self._need(uuid)
            found.cpu = found.cpu if cpu is None else cpu
            found.memory = found.memory if memory is None else memory
            found.cpuset = found.cpuset if cpuset is None else sorted(cpuset)

    def remove(self, uuid: str, keep_revision: int | None = None) -> None:
        """Remove its revisions, but for the one to be kept."""
        with self._call("remove", uuid):
            for thing in self._ours(container=uuid):
                if thing.revision != keep_revision:
                    self._engine.drop(thing)

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
        """What its programs wrote, one piece a line."""
        with self._call("logs", uuid):
            wanted = {stream for stream, asked in ((1, stdout), (2, stderr)) if asked}
            lines = [
                (at.isoformat(timespec="microseconds").encode() + b"Z " if timestamps else b"") + line
                for at, stream, content in self._need(uuid).log
                if stream in wanted and (since is None or at >= since)
                for line in content.splitlines(keepends=True)
            ]
            return iter(lines if tail is None else lines[max(0, len(lines) - tail) :])

    def execute(self, uuid: str, command: Sequence[str], *, timeout: float, limit: int) -> ExecResult:
        """What the program does; one that would never end takes no time to run out of it."""
        with self._call("execute", uuid):
            output, exit_code = self._engine.ran(self._need(uuid, E.RUNNING), command)
            if exit_code is None:
                raise errors.ExecTimeout(seconds=f"{timeout:g}")
            return ExecResult(output=output[:limit], exit_code=exit_code)

    def top(self, uuid: str, ps_args: str | None = None) -> ProcessList:
        """Its one process. Arguments must look like those of ps."""
        with self._call("top", uuid):
            found = self._need(uuid, *ALIVE)
            if ps_args is not None and not ps_args.replace("-", "").isalnum():
                raise errors.EngineError(reason=f"ps: bad arguments: {ps_args}")
            words = found.spec.command if isinstance(found.spec, ContainerSpec) else []
            return ProcessList(titles=["UID", "PID", "CMD"], processes=[["root", str(int(found.engine_id, 16)), " ".join(words)]])

    def stats(self, uuid: str) -> Stats:
        """Small numbers, and its true limit."""
        with self._call("stats", uuid):
            limit = self._need(uuid, *ALIVE).memory_limit or _HOST_MEMORY
            return Stats(cpu_percent=1.0, memory_used=1 << 20, memory_limit=limit << 20)

    # -- truth and news --------------------------------------------------------------------------

    def scan(self) -> list[Seen]:
        """Everything of this deployment."""
        with self._call("scan"):
            return [
                Seen(
                    sandbox_uuid=thing.sandbox_uuid,
                    container_uuid=thing.container_uuid,
                    revision=thing.revision,
                    engine_id=thing.engine_id,
                    state=thing.state,
                    health=thing.health,
                )
                for thing in self._ours()
            ]

    def events(self, since: datetime | None = None) -> Iterator[EngineEvent]:
        """News of this deployment. Raises EngineUnavailable as the engine goes down."""
        with self._call("events"):
            seen = 0 if since else max((number for number, _, _ in self._engine.news), default=0)

        def news(last: int) -> Iterator[EngineEvent]:
            while fresh := self._engine.wait_for_news(last, self._deployment, lambda: self._closed):
                last = fresh[-1][0]
                for _, event in fresh:
                    if since is None or event.at >= since:
                        yield event

        return news(seen)

    # -- within ----------------------------------------------------------------------------------

    def _call(self, name: str, uuid: str = "") -> AbstractContextManager[None]:
        return self._engine.call(name, uuid, lambda: self._closed)

    def _ours(self, sandbox: str | None = None, container: str | None = None) -> list[Thing]:
        return [
            thing
            for thing in self._engine.things.values()
            if thing.deployment == self._deployment and sandbox in (None, thing.sandbox_uuid) and container in (None, thing.container_uuid)
        ]

    def _sandbox(self, uuid: str) -> Thing | None:
        return next((thing for thing in self._ours(sandbox=uuid) if thing.container_uuid is None), None)

    def _newest(self, uuid: str, revision: int | None = None) -> Thing | None:
        found = [thing for thing in self._ours(container=uuid) if revision in (None, thing.revision)]
        return max(found, key=lambda thing: thing.revision, default=None)

    def _need(self, uuid: str, *states: EngineState, revision: int | None = None) -> Thing:
        found = self._newest(uuid, revision)
        if found is None:
            raise errors.NoSuchObject(id=uuid, engine=self.name)
        if states and found.state not in states:
            raise errors.NotRunning(id=uuid, reason=f"it is {found.state}")
        return found

    def _turn(self, verb: str, uuid: str, before: EngineState, after: EngineState) -> ContainerState:
        with self._call(verb, uuid):
            found = self._need(uuid, before, after)
            if found.state is before:
                found.state = after
                self._engine.tell(found, verb)
            return _state(found)

    def _sandbox_state(self, thing: Thing) -> SandboxState:
        running = thing.state is E.RUNNING
        hostname = thing.spec.hostname if isinstance(thing.spec, SandboxSpec) else None
        inside = isinstance(thing.spec, SandboxSpec) and thing.spec.network == "engine" and running
        number = int(thing.engine_id, 16)
        address = {
            "addr": f"10.0.{number >> 8 & 255}.{number & 255}",
            "version": 4,
            "port": thing.engine_id,
            "subnet_id": "fake",
            "preserve_on_delete": False,
        }
        return SandboxState(
            uuid=thing.sandbox_uuid,
            engine_id=thing.engine_id,
            running=running,
            hostname=hostname or thing.engine_id[-12:],
            addresses={"bridge": [address]} if inside else {},
            netns=f"/proc/{number}/ns/net" if running else None,
            network=thing.network,
        )


def _state(thing: Thing) -> ContainerState:
    shown = ContainerState(
        uuid=thing.spec.uuid,
        sandbox_uuid=thing.sandbox_uuid,
        revision=thing.revision,
        engine_id=thing.engine_id,
        state=thing.state,
        error=thing.error,
        started_at=thing.started_at,
        network=thing.network,
        health=thing.health,
        cpuset=thing.cpuset,
    )
    ended = thing.state is E.EXITED
    return msgspec.structs.replace(shown, exit_code=thing.exit_code, finished_at=thing.finished_at) if ended else shown
