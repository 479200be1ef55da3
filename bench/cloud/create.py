"""From a request to a container that runs, with a port of Neutron's: alone, and ten at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench.client import Client, Token, until
from bench.cloud.sides import Side
from bench.ports import Bare
from bench.report import Row, Section, median, p95

ALONE_TARGET, MANY_TARGET, BEYOND_TARGET, MANY = 0.6, 2.5, 0.3, 10
POLL = 0.05
PATIENCE = 600.0
AGAIN = 20.0
#: ends at once when it is asked to: a first process that does not listen would cost ten seconds each time
COMMAND = ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"]


def measure(sides: tuple[Side, Side], network: str, engine: Path, bare: Bare, rounds: int, many_rounds: int) -> Section:
    """Each way in turns; what was made is gone before the next begins. ``bare`` makes ports of that network, and nothing else."""
    section = Section(
        f"Create to Running with a port of Neutron's: alone {rounds} times, {MANY} at once {many_rounds} times, in turns",
        "the service of that name on PyPI, on a host of its own in the same cloud, with Docker and kuryr-libnetwork",
    )
    ours, theirs = sides
    ways: list[Callable[[int], Made]] = [
        lambda count: created(ours.containers, network, count),
        lambda count: created(theirs.containers, network, count),
        lambda count: Made(started(engine, count)),
        lambda count: Made([port["all"] for port in bare.ports(count)]),
        lambda count: Made(both(engine, bare, count)),
    ]
    for way in ways:
        way(1)
    alone = _turns(ways, 1, rounds)
    many = _turns(ways, MANY, many_rounds)
    for what, made, target in (("alone", alone, ALONE_TARGET), (f"{MANY} at once", many, MANY_TARGET)):
        zun, peer, run, port, apart = (each.times for each in made)
        failed = [each.failed for each in made]
        note = f"(did not run: {failed[0]} of ours, {failed[1]} of the peer's)" if any(failed) else ""
        section.rows += [
            Row(f"{what}, p50", median(zun), "s", median(peer), target=target, note=note),
            Row(f"{what}, p95", p95(zun), "s", p95(peer)),
            Row(f"  how many times sooner, p50, {what}", median(zun), "s", median(peer), times=0),
            Row(f"  'docker run' without a network, p50, {what}", median(run), "s"),
            Row(f"  Neutron's own time for a port until it is active, p50, {what}", median(port), "s"),
            Row(f"  beyond Neutron's own time, p50, {what}", median(zun) - median(port), "s", target=BEYOND_TARGET),
            Row(f"  such a port and such a 'docker run' at the same time, until both are done, p50, {what}", median(apart), "s"),
            Row(f"  beyond these two, p50, {what}", median(zun) - median(apart), "s"),
        ]
    return section


@dataclass(slots=True)
class Made:
    """Seconds of each that ran, and how many ended in Error instead."""

    times: list[float] = field(default_factory=list)
    failed: int = 0


def _turns(ways: list[Callable[[int], Made]], count: int, rounds: int) -> list[Made]:
    made = [Made() for _ in ways]
    for _ in range(rounds):
        for kept, way in zip(made, ways, strict=True):
            found = way(count)
            kept.times += found.times
            kept.failed += found.failed
    return made


def created(access: Token, network: str, count: int) -> Made:
    """Seconds from the request of each of so many containers, all asked for at once, until a list shows it running."""
    begun: dict[str, float] = {}
    barrier = threading.Barrier(count)

    def ask(_: int) -> None:
        with Client(access) as client:
            barrier.wait()
            asked = time.perf_counter()
            begun[client.run(command=COMMAND, nets=[{"network": network}], memory="64")] = asked

    runs: dict[str, float | None] = {}

    def look(client: Client) -> None:
        known = list(begun)
        shown = {row["uuid"]: row for row in client.all()}
        now = time.perf_counter()
        for uuid in known:
            if shown[uuid]["status"] == "Error" and uuid not in runs:
                print(f"  {access.host}: a container did not run: {shown[uuid]['status_reason']}", file=sys.stderr)
                runs[uuid] = None
            if shown[uuid]["status"] == "Running":
                runs.setdefault(uuid, now)

    def all_run(client: Client, asked: list[Future[None]]) -> bool:
        look(client)
        for each in asked:
            if each.done():
                each.result()
        return len(runs) == count

    with Client(access) as client:
        try:
            with ThreadPoolExecutor(count) as pool:
                asked = [pool.submit(ask, number) for number in range(count)]
                # Looked at meanwhile: the first may run before the last was answered.
                until(lambda: all_run(client, asked), PATIENCE, "containers run", every=POLL)
        finally:
            removed(client, set(begun))
    times = [ran - begun[uuid] for uuid, ran in runs.items() if ran is not None]
    return Made(times, count - len(times))


def removed(client: Client, made: set[str]) -> None:
    """Have none of these left. Raises TimeoutError."""
    asked: dict[str, float] = {}

    def none_left() -> bool:
        left = [row for row in client.all() if row["uuid"] in made]
        for row in left:
            # A deletion may fail, and leave the container as it was: then it is asked for again.
            again = time.perf_counter() - asked.get(row["uuid"], 0) > AGAIN and row["task_state"] is None
            if row["status"] not in ("Creating", "Deleting") and again:
                asked[row["uuid"]] = time.perf_counter()
                client.call("DELETE", f"/v1/containers/{row['uuid']}?stop=true", missing_is_none=True)
        return not left

    until(none_left, PATIENCE, "containers are deleted", every=0.2)


def both(engine: Path, bare: Bare, count: int) -> list[float]:
    """Seconds of so many ports and as many containers, begun at the same time, which know nothing of each other: the first of either are
    taken for one, and so on. Nobody who has both made on the same cores can be sooner."""
    with ThreadPoolExecutor(1) as pool:
        ports = pool.submit(bare.ports, count)
        runs = started(engine, count)
        return [max(pair) for pair in zip(sorted(port["all"] for port in ports.result()), sorted(runs), strict=True)]


def started(engine: Path, count: int) -> list[float]:
    """Seconds of 'docker run' of so many at once, until it says that the container runs."""
    docker = ["docker", "--host", f"unix://{engine}"]
    begin = [*docker, "run", "--detach", "--network=none"]
    names = [f"bench-{number}" for number in range(count)]

    def run(name: str) -> float:
        begun = time.perf_counter()
        subprocess.run([*begin, f"--name={name}", "busybox", *COMMAND], check=True, capture_output=True)
        return time.perf_counter() - begun

    try:
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(run, names))
    finally:
        subprocess.run([*docker, "rm", "--force", *names], check=False, capture_output=True)
