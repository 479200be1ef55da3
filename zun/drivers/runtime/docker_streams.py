"""What Docker streams: terminals, commands, logs as they grow, archives (:class:`zun.interfaces.streams.Streaming`)."""

from __future__ import annotations

import base64
import re
import socket
import time
from collections.abc import Iterator
from datetime import datetime

import msgspec

from zun import errors
from zun.domain.lifecycle import EngineState
from zun.drivers.runtime import docker_exec, docker_wire
from zun.drivers.runtime.docker_flow import archive
from zun.drivers.runtime.docker_inside import DockerInside, asked
from zun.drivers.runtime.docker_objects import Json, missing, yes
from zun.drivers.runtime.docker_wire import Frames, Refused, plain
from zun.interfaces.streams import PathStat, Wire

E = EngineState

_EXEC_ID = re.compile(r"[0-9a-f]{64}\Z")
#: seconds between two looks at whether a command has begun
_LOOK = 0.01
_STREAMS = {"stream": 1, "stdin": 1, "stdout": 1, "stderr": 1, "logs": 0}


class DockerStreams(DockerInside):
    """The part of the driver that streams."""

    # -- terminals -------------------------------------------------------------------------------

    def attach(self, uuid: str) -> Wire:
        """What the container's first process reads and writes from now on."""
        inspected = self._lively(uuid, {E.RUNNING})
        try:
            channel = docker_wire.hijack(self._http, f"/containers/{inspected['Id']}/attach", query=_STREAMS)
        except Refused as refusal:
            self._lively(uuid, {E.RUNNING})
            raise errors.EngineError(reason=refusal.message) from refusal
        return _wire(channel, terminal=bool(inspected["Config"].get("Tty")))

    def resize(self, uuid: str, height: int, width: int) -> None:
        """Give the container's terminal a size; a container without one takes no notice."""
        inspected = self._lively(uuid, {E.RUNNING})
        answer = self._http.call("POST", f"/containers/{inspected['Id']}/resize", query={"h": height, "w": width})
        if not answer.ok:
            self._lively(uuid, {E.RUNNING})
            yes(answer)

    def exec_create(self, uuid: str, command: list[str], tty: bool) -> str:
        """Make a command ready to be run, with its standard input open."""
        inspected = self._lively(uuid, {E.RUNNING})
        body = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": tty, "Cmd": list(command)}
        answer = self._http.call("POST", f"/containers/{inspected['Id']}/exec", body=body)
        if not answer.ok:
            self._lively(uuid, {E.RUNNING})
        return str(yes(answer).data["Id"])

    def exec_start(self, uuid: str, exec_id: str) -> Wire:
        """Run it: what it reads and writes. Raises NoSuchExec."""
        self._lively(uuid, {E.RUNNING})
        made = self._made(uuid, exec_id)
        if made["Running"] or made["ExitCode"] is not None:
            raise errors.NoSuchExec(exec_id=exec_id, id=uuid, what="waits to be run")
        terminal = bool(made["ProcessConfig"]["tty"])
        try:
            channel = docker_wire.hijack(self._http, f"/exec/{exec_id}/start", body={"Detach": False, "Tty": terminal})
        except Refused as refusal:
            if refusal.status in (404, 409):
                raise errors.NoSuchExec(exec_id=exec_id, id=uuid, what="waits to be run") from refusal
            raise errors.EngineError(reason=refusal.message) from refusal
        try:
            self._await_begin(uuid, exec_id)
        except BaseException:
            channel.close()
            raise
        return _wire(channel, terminal=terminal)

    def exec_end(self, uuid: str, exec_id: str) -> None:
        """End it, with all that it has started. Ended already, or never started, is success."""
        try:
            inspected, made = self._inspected(uuid), self._made(uuid, exec_id)
        except (errors.NoSuchObject, errors.NoSuchExec):
            return
        if made["Running"] and inspected["State"]["Pid"]:
            docker_exec.end(int(made["Pid"] or 0), int(inspected["State"]["Pid"]))

    def exec_resize(self, uuid: str, exec_id: str, height: int, width: int) -> None:
        """Give the terminal of a command a size. Raises NoSuchExec."""
        self._lively(uuid, {E.RUNNING})
        # One that was never started would be waited for by the engine.
        if not self._made(uuid, exec_id)["Running"]:
            raise errors.NoSuchExec(exec_id=exec_id, id=uuid, what="runs")
        answer = self._http.call("POST", f"/exec/{exec_id}/resize", query={"h": height, "w": width})
        if not answer.ok:
            if not self._made(uuid, exec_id)["Running"]:
                raise errors.NoSuchExec(exec_id=exec_id, id=uuid, what="runs")
            yes(answer)

    # -- logs ------------------------------------------------------------------------------------

    def follow(
        self,
        uuid: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        timestamps: bool = False,
        tail: int | None = None,
        since: datetime | None = None,
    ) -> Wire:
        """The log, and what is written from now on."""
        inspected = self._inspected(uuid)
        if not stdout and not stderr:
            ours, theirs = socket.socketpair()
            theirs.close()
            return Wire(ours, plain)
        query = asked(stdout=stdout, stderr=stderr, timestamps=timestamps, tail=tail, since=since) | {"follow": 1}
        try:
            channel = docker_wire.flow(self._http, f"/containers/{inspected['Id']}/logs", {k: v for k, v in query.items() if v is not None})
        except Refused as refusal:
            raise self._refusal(uuid, refusal) from refusal
        return _wire(channel, terminal=bool(inspected["Config"].get("Tty")))

    # -- archives --------------------------------------------------------------------------------

    def read_archive(self, uuid: str, path: str) -> tuple[PathStat, Iterator[bytes]]:
        """What is at a path, and a tar archive of it, in pieces. Raises NoSuchPath."""
        engine_id = self._objects.newest(uuid)
        stream = self._http.stream("GET", f"/containers/{engine_id}/archive", query={"path": path}, idle=self._timeout)
        if stream.status >= 300:
            with stream:
                raise self._unpathed(uuid, path, Refused(stream.status, stream.answer().message))
        return _stat(stream.header("X-Docker-Container-Path-Stat")), archive(stream)

    def write_archive(self, uuid: str, path: str, pieces: Iterator[bytes]) -> None:
        """Unpack a tar archive at a path. Raises NoSuchPath, InvalidArchive."""
        engine_id = self._objects.newest(uuid)
        try:
            docker_wire.upload(self._http, f"/containers/{engine_id}/archive", {"path": path}, pieces)
        except Refused as refusal:
            raise self._unpathed(uuid, path, refusal) from refusal

    # -- within ----------------------------------------------------------------------------------

    def _made(self, uuid: str, exec_id: str) -> Json:
        """What the engine says of a command, if it is of this container: its id alone opens nothing."""
        nothing = errors.NoSuchExec(exec_id=exec_id[:64], id=uuid, what="is known")
        if not _EXEC_ID.match(exec_id):
            raise nothing
        answer = self._http.call("GET", f"/exec/{exec_id}/json")
        if answer.status == 404:
            raise nothing
        found: Json = yes(answer).data
        if found["ContainerID"] != self._objects.newest(uuid):
            raise nothing
        return found

    def _await_begin(self, uuid: str, exec_id: str) -> None:
        """Docker answers before the process is there: until then it could be neither sized nor ended."""
        until = time.monotonic() + self._timeout
        while True:
            made = self._made(uuid, exec_id)
            if (made["Running"] and made["Pid"]) or made["ExitCode"] is not None:
                return
            if time.monotonic() > until:
                raise errors.EngineUnavailable(reason="it does not begin a command that it has accepted")
            time.sleep(_LOOK)

    def _refusal(self, uuid: str, refusal: Refused) -> errors.ZunError:
        gone = refusal.status == 404 and not self._objects.revisions(uuid)
        return missing(uuid) if gone else errors.EngineError(reason=refusal.message)

    def _unpathed(self, uuid: str, path: str, refusal: Refused) -> errors.ZunError:
        """A refusal of something with a path. Docker says 404 of the container and of the path alike."""
        if refusal.status == 404 and self._objects.revisions(uuid):
            return errors.NoSuchPath(path=path, id=uuid)
        if refusal.status in (400, 403, 500):
            return errors.InvalidArchive(path=path, reason=refusal.message)
        return self._refusal(uuid, refusal)


def _wire(channel: socket.socket, *, terminal: bool) -> Wire:
    return Wire(channel, plain if terminal else Frames())


def _stat(header: str) -> PathStat:
    """What Docker tells of a path, in a header."""
    try:
        told = msgspec.json.decode(base64.b64decode(header))
        return PathStat(
            name=told["name"], size=told["size"], mode=told["mode"], mtime=told["mtime"], link_target=told.get("linkTarget") or ""
        )
    except (ValueError, KeyError, TypeError, msgspec.DecodeError) as error:
        raise errors.EngineError(reason=f"it does not tell what is at the path: {error}") from error
