"""Docker Engine as a runtime, through plain HTTP on its unix socket (ADR 0003)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from zun import errors
from zun.domain.lifecycle import EngineState
from zun.drivers.runtime import docker_flow, docker_host, docker_keepers, docker_read, docker_spec, labels
from zun.drivers.runtime import docker_objects as objects
from zun.drivers.runtime.cgroup import SandboxGroups
from zun.drivers.runtime.docker_answer import Answer
from zun.drivers.runtime.docker_http import DockerHttp, Engine
from zun.drivers.runtime.docker_images import DockerImages
from zun.drivers.runtime.docker_objects import Json, NoSuchImage, Objects, missing, yes
from zun.drivers.runtime.docker_rejoin import rejoin, strays
from zun.drivers.runtime.docker_streams import DockerStreams
from zun.drivers.runtime.pause import image as pause
from zun.interfaces.runtime import (
    Capabilities,
    ContainerSpec,
    ContainerState,
    EngineEvent,
    HostFacts,
    SandboxSpec,
    SandboxState,
    Seen,
)

E = EngineState

#: The news that change what a container is. Health checks and commands make news of their own, by the second: not these, but for the
#: word that a check says another thing than before.
_NEWS = ("start", "die", "pause", "unpause", "destroy", "oom", "health_status")
_STOP_SECONDS = 10
#: how often something is looked at anew that comes and goes under our hands
_TRIES = 10


class DockerRuntime(DockerStreams, DockerImages):
    """One Docker engine, and in it the things of one deployment.

    ``timeout`` is the deadline of a call, in seconds; a stop gets its own time on top, a pull has ``pull_timeout``. ``memory_swap``
    (MiB) is what a container or sandbox with a memory limit may use of memory and swap together: -1 without limit, 0 twice its
    memory, as Docker has it. Safe to use from several threads.
    """

    name = "docker"

    def __init__(
        self,
        socket: str,
        deployment: str,
        timeout: float = 60.0,
        pull_timeout: float = 3600.0,
        memory_swap: int = -1,
        cgroups: Path = Path("/sys/fs/cgroup"),
        guards: docker_spec.Guards | None = None,
    ) -> None:
        super().__init__()
        self._http = DockerHttp(socket, timeout)
        self._objects = Objects(self._http, deployment)
        self._cgroups, self._guards = cgroups, guards or docker_spec.Guards()
        self._groups = SandboxGroups(deployment, cgroups, memory_swap)
        self._timeout, self._pull_timeout, self._memory_swap = timeout, pull_timeout, memory_swap
        self._known: tuple[Engine, Capabilities] | None = None

    def capabilities(self) -> Capabilities:
        """What this engine can do; asked once, and again after the engine was away."""
        engine = self._http.engine()
        if self._known is None or self._known[0] is not engine:
            found = docker_host.capabilities(yes(self._http.call("GET", "/info")).data, self._groups)
            self._known = engine, msgspec.structs.replace(found, architecture=engine.architecture)
        return self._known[1]

    def facts(self) -> HostFacts:
        """What the engine tells of its host."""
        return docker_host.facts(yes(self._http.call("GET", "/info")).data)

    def close(self) -> None:
        """Give up every connection; a running :meth:`events` ends. Later calls raise EngineUnavailable."""
        self._http.close()

    # -- sandboxes -------------------------------------------------------------------------------

    def ensure_sandbox(self, spec: SandboxSpec) -> SandboxState:
        """Make the sandbox if there is none, start it if it does not run."""
        parent = self._group(spec)
        name, body = docker_spec.sandbox_name(spec.uuid), docker_spec.sandbox(spec, self._objects.deployment, parent)

        def create() -> str:
            return self._objects.create(name, body, self._objects.sandbox(spec.uuid), lambda: self._objects.sandbox(spec.uuid))[0]

        try:
            engine_id = create()
        except NoSuchImage:
            engine_id = self._load_pause(create)
        started, inspected = self._begun(engine_id)
        if not started.ok and self._freed(engine_id):
            started, inspected = self._begun(engine_id)
            if not started.ok:
                self._objects.remove({"Id": engine_id, "Labels": {}})
                started, inspected = self._begun(create())
        yes(started)
        if inspected is None or not inspected["State"]["Running"]:
            raise errors.EngineError(reason=f"sandbox {spec.uuid} ended as soon as it was started")
        return docker_read.sandbox(spec.uuid, inspected)

    def sandbox(self, uuid: str) -> SandboxState | None:
        """What the sandbox is, or None."""
        line = self._objects.sandbox(uuid)
        inspected = self._objects.inspected(line["Id"]) if line else None
        return docker_read.sandbox(uuid, inspected) if inspected else None

    def limit_sandbox(self, uuid: str, cpu: float, memory: int) -> None:
        """Hold all containers of the sandbox together to these limits; nothing where no group is around them."""
        try:
            self._groups.limit(uuid, cpu, memory)
        except OSError as error:
            raise errors.EngineError(reason=f"sandbox {uuid} cannot be held to {memory} MiB: {error.strerror}") from error

    def remove_sandbox(self, uuid: str) -> None:
        """Remove the sandbox and every container in it, whatever their state. Nothing there is success."""
        # Looked at again until nothing is left: another thread may just have been making a container in it.
        until = time.monotonic() + self._timeout
        while lines := self._objects.listed(sandbox=uuid):
            if time.monotonic() > until:
                raise errors.EngineError(reason=f"what was removed of sandbox {uuid} is still shown")
            for line in sorted(lines, key=lambda line: labels.CONTAINER not in line["Labels"]):
                self._objects.remove(line)
        try:
            self._groups.remove(uuid)
        except OSError as error:
            raise errors.EngineError(reason=f"the control group of sandbox {uuid} stays behind: {error}") from error

    # -- containers ------------------------------------------------------------------------------

    def ensure_container(self, spec: ContainerSpec) -> ContainerState:
        """Make the container (of this revision) if there is none; it is not started.

        Raises NoSuchObject without a sandbox, NotRunning when that does not run.
        """
        lines = self._objects.listed(sandbox=spec.sandbox_uuid)
        pause_line = objects.sandbox(lines)
        sandbox = self._objects.inspected(pause_line["Id"]) if pause_line else None
        if sandbox is None:
            raise missing(spec.sandbox_uuid)
        if not sandbox["State"]["Running"]:
            raise errors.NotRunning(id=spec.uuid, reason="its sandbox does not run")
        disk_quota = bool(spec.disk) and self.capabilities().disk_quota
        docker_host.check(spec, self.capabilities)
        parent = sandbox["HostConfig"].get("CgroupParent") or None
        body = docker_spec.container(spec, self._objects.deployment, sandbox["Id"], parent, self._memory_swap, disk_quota)
        body["HostConfig"] |= self._guards.host_config()
        name = docker_spec.container_name(spec.uuid, spec.revision)
        known = objects.of_revision(objects.revisions(lines, spec.uuid), spec.revision)

        def existing() -> Json | None:
            return objects.of_revision(self._objects.revisions(spec.uuid), spec.revision)

        for _ in range(_TRIES):
            try:
                engine_id, new = self._objects.create(name, body, known, existing)
            except NoSuchImage as error:
                raise errors.EngineError(reason=str(error)) from error
            if new:
                return ContainerState(
                    uuid=spec.uuid,
                    sandbox_uuid=spec.sandbox_uuid,
                    revision=spec.revision,
                    engine_id=engine_id,
                    state=E.CREATED,
                    cpuset=sorted(spec.cpuset),
                )
            inspected, known = self._objects.inspected(engine_id), None
            if inspected is None:
                continue
            state = docker_read.container(spec.uuid, inspected)
            if state.state is not E.CREATED or not strays(inspected, sandbox["Id"]):
                return state
            # Made for a sandbox that is no more, and never started: nothing is lost with it.
            self._objects.remove({"Id": engine_id, "Labels": inspected["Config"]["Labels"]})
        raise errors.EngineError(reason=f"container {spec.uuid} comes and goes")

    def inspect(self, uuid: str, revision: int | None = None) -> ContainerState | None:
        """What the container is, or None."""
        for number, line in self._objects.revisions(uuid):
            if revision not in (None, number):
                continue
            inspected = self._objects.inspected(line["Id"])
            if inspected is not None:
                return docker_read.container(uuid, inspected)
        return None

    def start(self, uuid: str, revision: int | None = None) -> ContainerState:
        """Start it, in the sandbox that there is; running already is success. Raises EngineError with Docker's sentence when it cannot
        be started."""
        try:
            return self._start(uuid, revision)
        except errors.EngineError as error:
            refusal = error
        if not self._rejoined(uuid, revision) and not self._let_go(uuid, revision):
            raise refusal
        return self._start(uuid, revision)

    def stop(self, uuid: str, timeout: int | None = None, revision: int | None = None) -> ContainerState:
        """Ask it to end, and end it after ``timeout`` seconds (None: Docker's 10). Ended already is success."""
        patience = self._timeout + (_STOP_SECONDS if timeout is None else timeout)
        wanted = {E.EXITED, E.DEAD}
        return self._act(uuid, "stop", wanted=wanted, within=set(E), query={"t": timeout}, timeout=patience, revision=revision)

    def kill(self, uuid: str, signal: str) -> ContainerState:
        """Send a signal by its plain name."""
        return self._act(uuid, "kill", wanted=set(), within={E.RUNNING, E.PAUSED}, query={"signal": f"SIG{signal}"})

    def pause(self, uuid: str) -> ContainerState:
        """Freeze its processes; frozen already is success."""
        return self._act(uuid, "pause", wanted={E.PAUSED}, within={E.RUNNING})

    def unpause(self, uuid: str) -> ContainerState:
        """Thaw its processes; thawed already is success."""
        return self._act(uuid, "unpause", wanted={E.RUNNING}, within={E.PAUSED})

    def update(self, uuid: str, cpu: float | None = None, memory: int | None = None, cpuset: Sequence[int] | None = None) -> None:
        """Change its limits, or the cores that it may run on, while it lives."""
        limits = docker_spec.limits(cpu, memory, self._memory_swap, cpuset)
        if limits:
            answer = self._http.call("POST", f"/containers/{self._objects.newest(uuid)}/update", body=limits)
            if answer.status == 404:
                raise missing(uuid)
            yes(answer)

    def remove(self, uuid: str, keep_revision: int | None = None) -> None:
        """Remove the container, running or not; with ``keep_revision`` only its other revisions. Nothing there is success."""
        for revision, line in self._objects.revisions(uuid):
            if revision != keep_revision:
                self._objects.remove(line)

    # -- truth and news --------------------------------------------------------------------------

    def scan(self) -> list[Seen]:
        """Everything of ours in the engine, by one call, whatever its state."""
        return [seen for line in self._objects.listed() if (seen := docker_read.seen(line))]

    def events(self, since: datetime | None = None) -> Iterator[EngineEvent]:
        """News of our things, from ``since`` (None: from this call) on. Ends after :meth:`close`; raises EngineUnavailable when the
        engine goes away."""
        filters = {"type": ["container"], "event": list(_NEWS), **self._objects.filter()}
        # Always with a beginning: the engine answers a little before it listens, and news in between would be lost.
        start = docker_read.epoch(since) if since else f"{time.time():.6f}"
        query = {"since": start, "filters": msgspec.json.encode(filters).decode()}
        return docker_flow.news(self._flowing("/events", query), lambda: self._http.closed)

    # -- within ----------------------------------------------------------------------------------

    def _act(
        self,
        uuid: str,
        verb: str,
        *,
        wanted: set[EngineState],
        within: set[EngineState],
        query: dict[str, Any] | None = None,
        timeout: float | None = None,
        revision: int | None = None,
    ) -> ContainerState:
        """Do a verb, and show what came of it. A refusal is success in a ``wanted`` state, NotRunning outside of ``within``."""
        engine_id = self._objects.newest(uuid, revision)
        answer = self._http.call("POST", f"/containers/{engine_id}/{verb}", query=query, timeout=timeout)
        inspected = self._objects.inspected(engine_id)
        if inspected is None:
            raise missing(uuid)
        state = docker_read.container(uuid, inspected)
        if answer.ok or state.state in wanted:
            return state
        if state.state not in within:
            raise errors.NotRunning(id=uuid, reason=answer.message)
        raise errors.EngineError(reason=answer.message)

    def _start(self, uuid: str, revision: int | None) -> ContainerState:
        return self._act(uuid, "start", wanted={E.RUNNING}, within={E.CREATED, E.EXITED}, revision=revision)

    def _begun(self, engine_id: str) -> tuple[Answer, Json | None]:
        """Start a sandbox's own container; what it is then."""
        started = self._http.call("POST", f"/containers/{engine_id}/start")
        inspected = self._objects.inspected(engine_id)
        if inspected is not None and inspected["State"].get("Paused"):
            started = self._http.call("POST", f"/containers/{engine_id}/unpause")
        return started, inspected

    def _freed(self, engine_id: str) -> bool:
        """End an earlier life that the engine has forgotten and that keeps the container from starting. Returns whether there was one."""

        def idle() -> bool:
            inspected = self._objects.inspected(engine_id)
            return inspected is not None and inspected["State"]["Status"] in ("created", "exited")

        return idle() and docker_keepers.end(engine_id, idle)

    def _let_go(self, uuid: str, revision: int | None) -> bool:
        """Whether there is hope for a container that was refused its start, now that an earlier life is ended. Where containerd does not
        forget that life, the container is made anew: another id is all that helps."""
        engine_id = self._objects.newest(uuid, revision)
        if not self._freed(engine_id):
            return False
        if self._http.call("POST", f"/containers/{engine_id}/start").status >= 500:
            self._rejoined(uuid, revision, held=True)
        return True

    def _rejoined(self, uuid: str, revision: int | None, *, held: bool = False) -> bool:
        """Make a container anew that was made for a sandbox that is no more, if there is another that runs; one that is ``held`` in any
        sandbox that runs. Returns whether it was."""
        found = self._inspected(uuid, revision)
        mark = labels.read(found["Config"]["Labels"])
        line = self._objects.sandbox(mark.sandbox) if mark else None
        if (
            line is None
            or line["State"] != "running"
            or not (held or strays(found, line["Id"]))
            or found["State"]["Status"] not in ("created", "exited")
        ):
            return False
        why = "the engine does not start it under the id that it has" if held else "its sandbox was removed"
        rejoin(self._http, self._objects, uuid, found, line["Id"], why=why, timeout=self._pull_timeout)
        return True

    def _group(self, spec: SandboxSpec) -> str | None:
        """The control group around the sandbox. A sandbox of one has none: its limits are its container's."""
        if not (spec.cpu or spec.memory) or not self.capabilities().sandbox_limits:
            return None
        try:
            return self._groups.ensure(spec.uuid, spec.cpu, spec.memory)
        except OSError as error:
            raise errors.EngineError(reason=f"no control group could be made for sandbox {spec.uuid}: {error}") from error

    def _load_pause(self, create: Callable[[], str]) -> str:
        """Load the pause image and create again. Returns what ``create`` does."""
        architecture = self._http.engine().architecture
        if architecture not in pause.MACHINES:
            raise errors.EngineError(reason=f"there is no pause image for {architecture}")
        told = yes(self._http.call("POST", "/images/load", query={"quiet": 1}, body=pause.archive(architecture))).data
        try:
            return create()
        except NoSuchImage as error:
            raise errors.EngineError(reason=f"the pause image was loaded ({told}), but is not there: {error}") from error
