"""From the request to a running container, against the same engine calls made raw."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from bench import raw
from bench.client import Access, Client, until
from bench.report import Row, Section, median, p95
from bench.world import World
from zun.drivers.runtime.docker_http import DockerHttp

TARGET_MS = 30.0
POLL = 0.005
PATIENCE = 60.0


def measure(world: World, rounds: int) -> Section:
    """In each round once raw, once left alone until it runs, once with a client that asks every 5 ms; and raw beside such a client.

    Asking takes processor time from the engine, which on two cores is half of what is to be seen: the last way tells how much.
    """
    bare: list[float] = []
    beside: list[float] = []
    done: list[float] = []
    visible: list[float] = []
    accepted: list[float] = []
    http = DockerHttp(world.engine.socket, timeout=60)
    try:
        with Client(world.access) as client:
            # The first ones bring the pause image and fill caches, the engine's and ours: they are not counted.
            _undisturbed(client)
            for number in range(rounds + 1):
                figures = (_raw(http), *_undisturbed(client), _watched(client), _raw_beside(http, world.access))
                if number:
                    for kept, figure in zip((bare, accepted, done, visible, beside), figures, strict=True):
                        kept.append(figure * 1000)
    finally:
        http.close()
    section = Section(
        f"Create to Running, {rounds} each, taken in turns",
        "pause create and start on the engine's bridge, app create and start: four calls, plain HTTP on the socket",
    )
    overhead = [ours - theirs for ours, theirs in zip(done, bare, strict=True)]
    section.rows += [
        Row("median until the action is finished", median(done), "ms", median(bare)),
        Row("p95 until the action is finished", p95(done), "ms", p95(bare)),
        Row("median until a client sees it (GET each 5 ms)", median(visible), "ms", median(bare)),
        Row("p95 until a client sees it", p95(visible), "ms", p95(bare)),
        Row("the same, raw calls beside a client that asks as often", median(visible), "ms", median(beside)),
        Row("overhead of the median, action", median(done) - median(bare), "ms", target=TARGET_MS),
        Row("overhead of the median, as a client sees it", median(visible) - median(bare), "ms", target=TARGET_MS),
        Row("the same, over raw calls beside a client that asks as often", median(visible) - median(beside), "ms"),
        Row("median of the overheads round by round, action", median(overhead), "ms", target=TARGET_MS),
        Row("median until the request is answered (202)", median(accepted), "ms"),
    ]
    return section


def _raw(http: DockerHttp) -> float:
    """Seconds for the two containers without us."""
    begun = time.perf_counter()
    made = raw.pair(http)
    took = time.perf_counter() - begun
    raw.remove(http, made)
    return took


def _raw_beside(http: DockerHttp, access: Access) -> float:
    """The raw calls, while a client asks the service every 5 ms, as it does in :func:`_watched`."""
    stopping = threading.Event()

    def ask() -> None:
        with Client(access) as client:
            while not stopping.wait(POLL):
                client.show("00000000-0000-4000-8000-000000000000")

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        return _raw(http)
    finally:
        stopping.set()
        asking.join()


def _undisturbed(client: Client) -> tuple[float, float]:
    """Seconds until the answer, and until the action's own finish time. Nobody asks while it is done."""
    begun, clock = time.perf_counter(), datetime.now(UTC).replace(tzinfo=None)
    made = client.run()
    accepted = time.perf_counter() - begun
    time.sleep(0.5)
    until(lambda: _runs(client, made), PATIENCE, "a container runs", every=0.1)
    action = client.call("GET", f"/v1/containers/{made}/container_actions")["containerActions"][0]
    finished = datetime.fromisoformat(action["finish_time"]).replace(tzinfo=None)
    _delete(client, made)
    return accepted, (finished - clock).total_seconds()


def _watched(client: Client) -> float:
    begun = time.perf_counter()
    made = client.run()
    until(lambda: _runs(client, made), PATIENCE, "a container runs", every=POLL)
    took = time.perf_counter() - begun
    _delete(client, made)
    return took


def _runs(client: Client, made: str) -> bool:
    shown = client.show(made)
    if shown is None or shown["status"] == "Error":
        raise RuntimeError(f"a container did not run: {shown}")
    return bool(shown["status"] == "Running")


def _delete(client: Client, made: str) -> None:
    client.delete(made)
    until(lambda: client.show(made) is None, PATIENCE, "a container is deleted")
    # What ends after the answer (the engine's own tidying) shall not be the next one's burden.
    time.sleep(0.1)
