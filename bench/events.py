"""From what the engine says has happened to the client who hears of it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

from bench import raw
from bench.client import Client, deleted, opened, running
from bench.idle import cpu
from bench.report import Row, Section, median, p99
from bench.world import World
from zun import errors
from zun.drivers.runtime.docker_http import DockerHttp
from zun.drivers.runtime.labels import CONTAINER

TARGET_MS = 100.0
PATIENCE = 60.0
#: containers that die and start beside each other: more would wait for the engine on two cores, and their events with them
BESIDE = 2
#: the engine's word for what happened, and the status that the service makes of it
MEANING = {"die": "Stopped", "start": "Running"}
STREAM = "text/event-stream"


class Heard:
    """When things were said to have happened, and when who heard of them; nanoseconds of the machine's clock. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        #: by container and status, in order
        self._happened: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._told: dict[tuple[str, str], list[int]] = defaultdict(list)
        #: of the engine's own reader, in milliseconds
        self.engine: list[float] = []

    def happened(self, container: str, status: str, moment: int) -> None:
        """The engine's stream says so, and has just been read."""
        now = time.time_ns()
        with self._lock:
            self._happened[container, status].append(moment)
            self.engine.append((now - moment) / 1e6)

    def told(self, container: str, status: str, moment: int) -> None:
        """A client of the service has heard of it."""
        with self._lock:
            self._told[container, status].append(moment)
            self._lock.notify_all()

    def wait(self, container: str, status: str, times: int) -> None:
        """Until the client has heard of it so often. Raises TimeoutError."""
        with self._lock:
            if not self._lock.wait_for(lambda: len(self._told[container, status]) >= times, PATIENCE):
                raise TimeoutError(f"nobody was told within {PATIENCE:g} s that container {container} is {status}")

    def service(self) -> list[float]:
        """Milliseconds from each happening to the client. Raises RuntimeError where one of both is missing."""
        with self._lock:
            if {key: len(all_) for key, all_ in self._happened.items()} != {key: len(all_) for key, all_ in self._told.items()}:
                raise RuntimeError("what happened and what was told are not the same")
            return [
                (told - moment) / 1e6
                for key, moments in self._happened.items()
                for moment, told in zip(moments, self._told[key], strict=True)
            ]


def measure(world: World, count: int) -> Section:
    """Containers are killed and started behind the service's back; nothing else is asked of it. ``count`` events of each kind."""
    rounds = -(-count // BESIDE)
    heard = Heard()
    http = DockerHttp(world.engine.socket, timeout=60)
    try:
        with Client(world.access) as client:
            made = [running(client) for _ in range(BESIDE)]
            connection, answer = opened(client.moved("/v1/events?what=status", STREAM), STREAM)
            stream = http.stream("GET", "/events", query={"filters": json.dumps({"event": list(MEANING)})})
            readers = [
                threading.Thread(target=lambda: _listen(heard, iter(answer.readline, b"")), daemon=True),
                threading.Thread(target=lambda: _watch(heard, stream.lines()), daemon=True),
            ]
            for reader in readers:
                reader.start()
            time.sleep(1.0)
            before = cpu(world.service.pid)
            with ThreadPoolExecutor(BESIDE) as pool:
                list(pool.map(lambda each: _live_and_die(http, heard, each, rounds), made))
            spent = cpu(world.service.pid) - before
            # Closing what another thread reads from would wait for it.
            connection.sock.shutdown(socket.SHUT_RDWR)
            stream.wake()
            for reader in readers:
                reader.join()
            deleted(client, made)
    finally:
        http.close()
    return _section(heard, spent)


def _section(heard: Heard, spent: float) -> Section:
    """``spent`` are seconds of processor that the service has used meanwhile."""
    ours = heard.service()
    section = Section(
        f"Events: {len(ours)} deaths and starts, {BESIDE} containers at a time, from the engine's own time of each",
        "a reader of the engine's event stream, at the same time",
    )
    section.rows += [
        Row("until a client of the event stream has it, median", median(ours), "ms", median(heard.engine)),
        Row("until a client of the event stream has it, p99", p99(ours), "ms", p99(heard.engine), target=TARGET_MS),
        Row("until a client of the event stream has it, the latest", max(ours), "ms", max(heard.engine)),
        Row("  processor time of the service for each", spent / len(ours) * 1000, "ms"),
    ]
    return section


def _live_and_die(http: DockerHttp, heard: Heard, container: str, rounds: int) -> None:
    engine_id = raw.engine_id(http, container)
    for number in range(1, rounds + 1):
        for call, status in (("kill", "Stopped"), ("start", "Running")):
            raw.post(http, f"/containers/{engine_id}/{call}")
            heard.wait(container, status, number)


def _listen(heard: Heard, lines: Iterator[bytes]) -> None:
    """A client of the service, until it is cut off."""
    with contextlib.suppress(OSError, HTTPException):
        for line in lines:
            now = time.time_ns()
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                if event["status"] != event["old_status"]:
                    heard.told(event["resource_uuid"], event["status"], now)


def _watch(heard: Heard, lines: Iterator[bytes]) -> None:
    """The engine's own reader, until it is cut off."""
    with contextlib.suppress(errors.EngineUnavailable):
        for line in lines:
            event = json.loads(line)
            container = event["Actor"]["Attributes"].get(CONTAINER)
            if container:
                heard.happened(container, MEANING[event["Action"]], event["timeNano"])
