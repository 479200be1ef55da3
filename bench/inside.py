"""Into a container and out of it: a command's round trip, and a long log followed to its end."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench import raw
from bench.client import Client, deleted, opened, running, until
from bench.idle import cpu
from bench.report import Row, Section, median, p95
from bench.world import World
from zun.drivers.runtime.docker_http import DockerHttp

LINE = 100
MEGABYTES = 100
PATIENCE = 180.0


def commands(world: World, rounds: int) -> Section:
    """``true`` by the call and by the engine's own three calls, in turns."""
    ours: list[float] = []
    bare: list[float] = []
    http = DockerHttp(world.engine.socket, timeout=60)
    try:
        with Client(world.access) as client:
            made = running(client)
            engine_id = raw.engine_id(http, made)
            for number in range(rounds + 1):
                figures = (_took(lambda: _asked(client, made)), _took(lambda: _raw_command(http, engine_id)))
                if number:
                    ours.append(figures[0])
                    bare.append(figures[1])
            deleted(client, [made])
    finally:
        http.close()
    section = Section(
        f"A command in a container, {rounds} each, taken in turns", "create exec, start it and read to its end, ask for its exit code: raw"
    )
    section.rows += [
        Row("execute 'true', median", median(ours), "ms", median(bare)),
        Row("execute 'true', p95", p95(ours), "ms", p95(bare)),
    ]
    return section


def _asked(client: Client, made: str) -> None:
    result = client.call("POST", f"/v1/containers/{made}/execute?command=true")
    if result["exit_code"] != 0:
        raise RuntimeError(f"a command failed: {result}")


def _raw_command(http: DockerHttp, engine_id: str) -> None:
    body = {"AttachStdout": True, "AttachStderr": True, "Cmd": ["true"]}
    made = raw.post(http, f"/containers/{engine_id}/exec", body=body)["Id"]
    with http.stream("POST", f"/exec/{made}/start", body={"Detach": False, "Tty": False}) as stream:
        while stream.read():
            pass
    if http.call("GET", f"/exec/{made}/json").data["ExitCode"] != 0:
        raise RuntimeError("a raw command failed")


def _took(what: Callable[[], object]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    what()
    return (time.perf_counter() - begun) * 1000


def logs(world: World, rounds: int = 3) -> Section:
    """A log of 100 MB in lines of 100 bytes, followed to its end by the service and on the engine's socket, in turns."""
    lines = MEGABYTES * 10**6 // LINE
    text = "x" * (LINE - 1)
    http = DockerHttp(world.engine.socket, timeout=60)
    ours: list[float] = []
    bare: list[float] = []
    spent: list[float] = []
    try:
        with Client(world.access) as client:
            made = client.run(command=["sh", "-c", f"yes {text} | head -n {lines}"])
            until(lambda: (client.show(made) or {})["status"] == "Stopped", PATIENCE, "a log is written", every=0.5)
            engine_id = raw.engine_id(http, made)
            for _ in range(rounds):
                before = cpu(world.service.pid)
                ours.append(_took(lambda: _followed(client, made, lines * LINE)))
                spent.append((cpu(world.service.pid) - before) * 1000)
                bare.append(_took(lambda: _raw_followed(http, engine_id, lines * LINE)))
            deleted(client, [made])
    finally:
        http.close()
    section = Section(f"A log of {MEGABYTES} MB, followed to its end, {rounds} each, taken in turns", "the engine's own answer, read raw")
    section.rows += [
        Row("followed, median", median(ours), "ms", median(bare)),
        Row("  processor time of the service", median(spent), "ms"),
        Row("  rate of the median", MEGABYTES / median(ours) * 1000, "MB/s", MEGABYTES / median(bare) * 1000, rate=True),
    ]
    return section


def _followed(client: Client, made: str, wanted: int) -> None:
    connection, answer = opened(client.moved(f"/v1/containers/{made}/logs?follow=true"))
    try:
        size = 0
        while piece := answer.read1(1 << 18):
            size += len(piece)
    finally:
        connection.close()
    if size != wanted:
        raise RuntimeError(f"a followed log has {size} bytes, not {wanted}")


def _raw_followed(http: DockerHttp, engine_id: str, wanted: int) -> None:
    size = 0
    with http.stream("GET", f"/containers/{engine_id}/logs", query={"follow": 1, "stdout": 1, "stderr": 1}) as stream:
        while piece := stream.read():
            size += len(piece)
    # Each line has a header of eight bytes.
    if size < wanted:
        raise RuntimeError(f"a raw log has {size} bytes, less than {wanted}")
