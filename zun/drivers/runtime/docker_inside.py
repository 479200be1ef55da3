"""Looking into containers with Docker: logs, commands, processes, use."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from zun import errors
from zun.domain.lifecycle import EngineState
from zun.drivers.runtime import docker_flow, docker_read, docker_spec, netns, usage
from zun.drivers.runtime.docker_answer import Stream
from zun.drivers.runtime.docker_exec import execute
from zun.drivers.runtime.docker_http import DockerHttp
from zun.drivers.runtime.docker_objects import Json, Objects, missing, yes
from zun.interfaces.runtime import ExecResult, ProcessList, Stats

E = EngineState


class DockerInside:
    """The part of the driver that looks inside. What it stands on is made by :class:`~zun.drivers.runtime.docker.DockerRuntime`."""

    _http: DockerHttp
    _objects: Objects
    _cgroups: Path
    _timeout: float

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
        """What it has written, in pieces; refusals come with the call, not with the first piece."""
        inspected = self._inspected(uuid)
        if not stdout and not stderr:
            return iter(())
        query = asked(stdout=stdout, stderr=stderr, timestamps=timestamps, tail=tail, since=since)
        path = f"/containers/{inspected['Id']}/logs"
        return docker_flow.log(self._flowing(path, query, duration=self._timeout), terminal=bool(inspected["Config"].get("Tty")))

    def execute(self, uuid: str, command: Sequence[str], *, timeout: float, limit: int) -> ExecResult:
        """Run a command in it and wait. Raises ExecTimeout after ``timeout`` seconds; at most ``limit`` bytes of output are kept."""
        inspected = self._lively(uuid, {E.RUNNING})
        try:
            return execute(self._http, inspected["Id"], inspected["State"]["Pid"], command, timeout=timeout, limit=limit)
        except errors.EngineError:
            self._lively(uuid, {E.RUNNING})  # it may have ended under the command, and that is the better answer
            raise

    def dial(self, sandbox_uuid: str, port: int, *, host: str | None = None, timeout: float) -> socket.socket:
        """A TCP connection from inside the sandbox's network."""
        # By its name, which is one look, where a search by label makes the engine go through all that it has.
        inspected = self._objects.inspected(docker_spec.sandbox_name(sandbox_uuid))
        if inspected is None or not self._objects.owns(inspected["Config"].get("Labels"), sandbox_uuid):
            raise missing(sandbox_uuid)
        state = docker_read.sandbox(sandbox_uuid, inspected)
        if state.netns is None:
            raise errors.NotRunning(id=sandbox_uuid, reason="it is no more")
        return netns.dial(state.netns, state.network, host, port, timeout=timeout)

    def top(self, uuid: str, ps_args: str | None = None) -> ProcessList:
        """Its processes. Raises EngineError for arguments that ps refuses."""
        inspected = self._lively(uuid, {E.RUNNING, E.PAUSED})
        answer = self._http.call("GET", f"/containers/{inspected['Id']}/top", query={"ps_args": ps_args})
        if not answer.ok:
            self._lively(uuid, {E.RUNNING, E.PAUSED})
        table = yes(answer).data
        return ProcessList(titles=table["Titles"], processes=table["Processes"] or [])

    def stats(self, uuid: str) -> Stats:
        """What it uses just now, read from the kernel; the network counters are its sandbox's, whoever has plugged it."""
        inspected = self._lively(uuid, {E.RUNNING, E.PAUSED})
        try:
            return usage.measure(inspected["State"]["Pid"], self._cgroups)
        except (OSError, KeyError) as error:
            self._lively(uuid, {E.RUNNING, E.PAUSED})  # it may have ended meanwhile, and that is the better answer
            raise errors.EngineError(reason=f"its processes are out of sight: {error}") from error

    # -- within ----------------------------------------------------------------------------------

    def _flowing(self, path: str, query: dict[str, Any], duration: float | None = None) -> Stream:
        """The answer of a GET that comes by and by. A refusal is EngineError at once."""
        stream = self._http.stream("GET", path, query=query, duration=duration)
        if stream.status >= 300:
            with stream:
                yes(stream.answer())
        return stream

    def _inspected(self, uuid: str, revision: int | None = None) -> Json:
        inspected = self._objects.inspected(self._objects.newest(uuid, revision))
        if inspected is None:
            raise missing(uuid)
        return inspected

    def _lively(self, uuid: str, states: set[EngineState]) -> Json:
        inspected = self._inspected(uuid)
        state = docker_read.state(inspected["State"].get("Status"))
        if state not in states:
            raise errors.NotRunning(id=uuid, reason=f"it is {state}")
        return inspected


def asked(*, stdout: bool, stderr: bool, timestamps: bool, tail: int | None, since: datetime | None) -> dict[str, Any]:
    """Which part of a log, in Docker's words."""
    return {
        "stdout": int(stdout),
        "stderr": int(stderr),
        "timestamps": int(timestamps),
        "tail": "all" if tail is None else tail,
        "since": docker_read.epoch(since) if since else None,
    }
