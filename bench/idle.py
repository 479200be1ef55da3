"""What the service costs while nobody asks anything of it: memory and processor, and what it takes to start."""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.client import Client, until
from bench.report import Row, Section
from bench.world import World

CPU_TARGET = 1.0
MEMORY_TARGET = 150.0
SETTLE = 5.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MB (10^6 bytes)."""

    rss: float
    pss: float


def memory(pid: int) -> Memory:
    """What a process has in memory, from the kernel."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    values = {name: int(re.search(rf"^{name}: +(\d+) kB", text, re.MULTILINE)[1]) for name in ("Rss", "Pss")}  # type: ignore[index]
    return Memory(values["Rss"] * 1024 / 1e6, values["Pss"] * 1024 / 1e6)


def cpu(pid: int) -> float:
    """Seconds of processor that a process has used since it began, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def engine_pids(world: World) -> list[int]:
    """The engine's daemon and its containerd."""
    docker = int((world.folder / "docker" / "docker.pid").read_text())
    children = {int(child) for task in Path(f"/proc/{docker}/task").iterdir() for child in task.joinpath("children").read_text().split()}
    return [docker, *sorted(children)]


def shares(pids: list[int], seconds: float) -> list[float]:
    """Percent of one core that each process uses over so many seconds."""
    before, begun = [cpu(pid) for pid in pids], time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    return [100 * (cpu(pid) - was) / took for pid, was in zip(pids, before, strict=True)]


def measure(world: World, containers: int, seconds: float) -> Section:
    """With nothing to look after, then with so many running containers; then the engine alone; then the start with all of them there."""
    section = Section(
        f"Idle: memory, processor over {seconds:g} s, start",
        "the engine's daemon and its containerd, at the same time (processor: percent of one core)",
    )
    time.sleep(SETTLE)
    empty = memory(world.service.pid)
    with Client(world.access) as client:
        took = _fill(world, client, containers)
    time.sleep(SETTLE)
    full = memory(world.service.pid)
    zun, *engine = shares([world.service.pid, *engine_pids(world)], seconds)
    busy = memory(world.service.pid)
    world.service.stop()
    time.sleep(1.0)
    alone = shares(engine_pids(world), seconds / 2)
    start = world.start()
    with Client(world.access) as client:
        _empty(client)
    section.rows += [
        Row("RSS, nothing to look after", empty.rss, "MB", target=MEMORY_TARGET, note=f"(PSS {empty.pss:.0f})"),
        Row(
            f"RSS, {containers} containers running",
            max(full.rss, busy.rss),
            "MB",
            target=MEMORY_TARGET,
            note=f"(PSS {max(full.pss, busy.pss):.0f})",
        ),
        Row(f"processor, {containers} containers running", zun, "%", sum(engine), target=CPU_TARGET),
        Row("  the engine's while the service is stopped", sum(alone), "%"),
        Row(f"{containers} containers asked for at once, until the last one runs", took, "s"),
        Row(f"start of zun-aio with {containers} containers, until its API answers", start, "s"),
    ]
    return section


def _fill(world: World, client: Client, count: int) -> float:
    """Have so many containers running. Returns the seconds that it took."""
    begun = time.monotonic()
    access = world.access

    def ask(_: int) -> None:
        with Client(access) as own:
            own.run()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(count)))

    def all_run() -> bool:
        states = [row["status"] for row in client.all()]
        if "Error" in states:
            raise RuntimeError("a container did not run")
        return states.count("Running") == count

    until(all_run, 600, f"{count} containers run", every=0.2)
    return time.monotonic() - begun


def _empty(client: Client) -> None:
    for row in client.all():
        client.delete(row["uuid"])
    until(lambda: not client.all(), 600, "all containers are deleted", every=0.2)
