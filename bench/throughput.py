"""Many containers at once: as many clients of the service as there are threads that make the raw calls."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from bench import raw
from bench.client import Client, deleted, running, until
from bench.report import Row, Section, median, p95
from bench.world import World
from zun.drivers.runtime.docker_http import DockerHttp

#: as many sandboxes as a host works on at a time unless it is told otherwise
CLIENTS = 8
PATIENCE = 300.0


def measure(world: World, count: int) -> Section:
    """The raw calls first, then the service; what was made is removed before the next begins."""
    with Client(world.access) as client:
        # The first one brings the pause image.
        deleted(client, [running(client)])
    bare = _raw(world, count)
    accepting, answers, took = _asked(world, count)
    section = Section(
        f"Create throughput: {count} containers, {CLIENTS} clients",
        f"the four raw calls of each container, by {CLIENTS} threads",
    )
    note = f"(answer: median {median(answers) * 1000:.1f}, p95 {p95(answers) * 1000:.1f} ms)"
    section.rows += [
        Row("containers per second, until the last one runs", count / took, "/s", count / bare, rate=True),
        Row("  requests accepted per second meanwhile", count / accepting, "/s", note=note),
    ]
    return section


def _raw(world: World, count: int) -> float:
    """Seconds until all run."""
    http = DockerHttp(world.engine.socket, timeout=60)
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            begun = time.perf_counter()
            made = list(pool.map(lambda _: raw.pair(http), range(count)))
            took = time.perf_counter() - begun
            list(pool.map(lambda each: raw.remove(http, each), made))
    finally:
        http.close()
    return took


def _asked(world: World, count: int) -> tuple[float, list[float], float]:
    """Seconds until all are accepted, of each answer, and until all run."""
    access = world.access

    def ask(share: int) -> list[tuple[str, float]]:
        found = []
        with Client(access) as client:
            for _ in range(share):
                asked = time.perf_counter()
                found.append((client.run(), time.perf_counter() - asked))
        return found

    shares = [len(range(first, count, CLIENTS)) for first in range(CLIENTS)]
    with Client(access) as client, ThreadPoolExecutor(CLIENTS) as pool:
        begun = time.perf_counter()
        answers = [each for found in pool.map(ask, shares) for each in found]
        accepted = time.perf_counter() - begun

        def all_run() -> bool:
            states = [row["status"] for row in client.all()]
            if "Error" in states:
                raise RuntimeError("a container did not run")
            return states.count("Running") >= count

        until(all_run, PATIENCE, f"{count} containers run", every=0.1)
        took = time.perf_counter() - begun
        deleted(client, [made for made, _ in answers])
    return accepted, [seconds for _, seconds in answers], took
