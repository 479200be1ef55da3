"""Running a command in a container and waiting for it, with an end to the waiting."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from zun import errors
from zun.drivers.runtime.docker_answer import Stream
from zun.drivers.runtime.docker_http import DockerHttp
from zun.drivers.runtime.docker_read import payloads
from zun.interfaces.runtime import ExecResult

#: how long the engine may take to record the exit code after the output has ended, in seconds
_SETTLING = 2.0


def execute(http: DockerHttp, engine_id: str, init_pid: int, command: Sequence[str], *, timeout: float, limit: int) -> ExecResult:
    """Run it in the container ``engine_id``, whose first process is ``init_pid``.

    Raises ExecTimeout after ``timeout`` seconds, having ended the command; EngineError or NotRunning where the engine refuses.
    """
    body = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(command)}
    made = http.call("POST", f"/containers/{engine_id}/exec", body=body)
    if not made.ok:
        refusal = errors.NotRunning(id=engine_id, reason=made.message) if made.status == 409 else errors.EngineError(reason=made.message)
        raise refusal
    exec_id = made.data["Id"]
    output = bytearray()
    with http.stream("POST", f"/exec/{exec_id}/start", body={"Detach": False, "Tty": False}, duration=timeout) as stream:
        if stream.status >= 300:
            raise errors.EngineError(reason=stream.answer().message)
        try:
            for piece in payloads(_pieces(stream)):
                output += piece[: max(0, limit - len(output))]
        except TimeoutError:
            # A child that stays behind may hold the output open after the command itself has ended: that is an end, too.
            exit_code = _exit_code(http, exec_id, patience=0)
            if exit_code is not None:
                return ExecResult(output=bytes(output), exit_code=exit_code)
            end(_pid(http, exec_id), init_pid)
            raise errors.ExecTimeout(seconds=f"{timeout:g}") from None
    exit_code = _exit_code(http, exec_id, patience=_SETTLING)
    if exit_code is None:
        raise errors.EngineError(reason="the command's output has ended, but not the command")
    return ExecResult(output=bytes(output), exit_code=exit_code)


def _pieces(stream: Stream) -> Iterator[bytes]:
    while piece := stream.read():
        yield piece


def _exit_code(http: DockerHttp, exec_id: str, patience: float) -> int | None:
    until = time.monotonic() + patience
    while True:
        answer = http.call("GET", f"/exec/{exec_id}/json")
        if not answer.ok:
            raise errors.EngineError(reason=answer.message)
        if not answer.data["Running"] and answer.data["ExitCode"] is not None:
            return int(answer.data["ExitCode"])
        if time.monotonic() >= until:
            return None
        time.sleep(0.01)


def _pid(http: DockerHttp, exec_id: str) -> int:
    answer = http.call("GET", f"/exec/{exec_id}/json")
    return int(answer.data["Pid"]) if answer.ok else 0


def end(pid: int, init_pid: int) -> None:
    """End a process of a container and all that it has started; Docker itself has no call for that.

    Each is held by a file descriptor before it is looked at, so that a number that was given to another process meanwhile is never hit,
    and is ended only if it lives in the PID namespace of the container's first process. Where the engine's processes cannot be seen,
    nothing is done.
    """
    if not pid or pid == init_pid:
        return
    for each in (pid, *descendants(pid)):
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(each)
            try:
                if _namespace(each) == _namespace(init_pid):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            finally:
                os.close(handle)


def _namespace(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/pid").readlink())


def descendants(pid: int) -> list[int]:
    """All that a process has started, and what that has. Not by recursion: how deep they nest is up to the container."""
    found: list[int] = []
    pending = [pid]
    while pending:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{pending.pop()}/task").iterdir():
                children = [int(child) for child in thread.joinpath("children").read_text().split()]
                found += children
                pending += children
    return found
