"""``python -m bench.ports``: creates on the test cloud against Neutron's own time for a port. Needs root, and ``make cloud`` before.

The exit code says whether it could measure, not how fast anything was.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from bench.idle import memory
from bench.report import Row, Section, median, plain
from cloud import daemons, world
from cloud.services import settings
from cloud.services import zun as service
from cloud.world import REGION, World
from tests.cloud.containers import Zun

#: What a create may take beyond what Neutron takes for its port, and the issue's bounds of it alone and of ten at once.
BEYOND_MS, ALONE_MS, TOGETHER_MS = 300.0, 600.0, 2500.0
API_MB, AGENT_MB = 110.0, 100.0
PATIENCE = 300.0
LOOK_EVERY = 0.05
#: ends at once when it is told to
COMMAND = ["sh", "-c", "trap exit TERM; sleep 100000 & wait"]


class Bare:
    """The program of :mod:`bench.bare` on a host, as long as this is entered."""

    def __init__(self, cloud: World, network: str, project: str, host: str) -> None:
        node = cloud.node(host)
        file = settings.folder(node, "zun") / "zun.conf"
        path = f"PYTHONPATH={Path(__file__).parents[1]}"
        self._command = node.command("env", path, sys.executable, "-W", "ignore", "-m", "bench.bare", str(file))
        self._asked = {"network": network, "project": project}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def ports(self, count: int) -> list[dict[str, float]]:
        """The seconds of so many ports at once, part by part. Raises RuntimeError."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({**self._asked, "count": count}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the ports could not be measured")
        found: list[dict[str, float]] = json.loads(line)
        return found


@dataclass(frozen=True)
class Life:
    """One container: seconds to its 202, to the end of its action, until somebody saw it run, from its deletion until it was gone."""

    accepted: float
    done: float
    seen: float
    gone: float
    steps: dict[str, float]


def live(zun: Zun, every: float = LOOK_EVERY) -> Life:
    """Have a container made, looked at so often, and deleted. Raises RuntimeError where it does not run."""
    clock, begun = datetime.now(UTC).replace(tzinfo=None), time.perf_counter()
    answer = zun.create(command=COMMAND)
    accepted = time.perf_counter() - begun
    if answer.status_code != 202:
        raise RuntimeError(answer.text)
    uuid = answer.json()["uuid"]
    while (shown := zun.show(uuid))["status"] == "Creating":
        if time.perf_counter() > begun + PATIENCE:
            raise RuntimeError(f"a container is still {shown['status']}")
        time.sleep(every)
    seen = time.perf_counter() - begun
    action = zun.call("GET", f"/containers/{uuid}/container_actions/{answer.headers['X-Openstack-Request-Id']}").json()
    ending = time.perf_counter()
    zun.delete(uuid)
    if shown["status"] != "Running":
        raise RuntimeError(f"a container did not run: {shown['status_reason']}")
    steps = {event["event"]: (_time(event["finish_time"]) - _time(event["start_time"])).total_seconds() for event in action["events"]}
    done = (_time(action["finish_time"]) - clock).total_seconds()
    return Life(accepted, done, seen, time.perf_counter() - ending, steps)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


def together(zun: Zun, count: int) -> list[Life]:
    """So many at once."""
    with ThreadPoolExecutor(count) as pool:
        # They ask seldom: so many clients would take the processor from what they wait for.
        return list(pool.map(lambda _: live(zun, LOOK_EVERY * count), range(count)))


def ms(seconds: list[float]) -> float:
    """Their median, in milliseconds."""
    return median(seconds) * 1000


def alone(zun: Zun, bare: Bare, rounds: int) -> Section:
    """One after the other: a port of Neutron's without us, a container with one."""
    live(zun), bare.ports(1)  # what is done for the first time is not counted
    ports, lives = [], []
    for _ in range(rounds):
        ports += bare.ports(1)
        lives.append(live(zun))
    section = Section(
        f"Create to Running in a network of Neutron's, {rounds} each, taken in turns",
        "Neutron's own time: a port made, bound to the host, plugged by os-vif, until it is ACTIVE (GET each 50 ms)",
    )
    theirs = [port["all"] for port in ports]
    beyond = [one.done - port for one, port in zip(lives, theirs, strict=True)]
    done = [one.done for one in lives]
    section.rows += [
        Row("median until the action is finished", ms(done), "ms", ms(theirs)),
        Row("  the same, against the bound of the issue", ms(done), "ms", target=ALONE_MS),
        Row("median until a client sees it (GET each 50 ms)", ms([one.seen for one in lives]), "ms", ms(theirs)),
        Row("beyond Neutron's own time, difference of the medians", ms(done) - ms(theirs), "ms", target=BEYOND_MS),
        Row("beyond Neutron's own time, median round by round", ms(beyond), "ms", target=BEYOND_MS),
        Row("median until the request is answered (202)", ms([one.accepted for one in lives]), "ms"),
        Row("median from DELETE to 404 (GET each 100 ms)", ms([one.gone for one in lives]), "ms", ms([port["end"] for port in ports])),
    ]
    for name in lives[0].steps:
        section.rows.append(
            Row(f"  of it {name.removeprefix('compute__')}", ms([one.steps[name] for one in lives]), "ms", _own(name, ports))
        )
    return section


def _own(step: str, ports: list[dict[str, float]]) -> float | None:
    """What of Neutron's own time is this step's."""
    if step == "compute__begin_network":
        return ms([port["make"] + port["plug"] for port in ports])
    return ms([port["wait"] for port in ports]) if step == "compute__await_network" else None


def many(zun: Zun, bare: Bare, count: int, rounds: int) -> Section:
    """The same for several at once."""
    ports: list[dict[str, float]] = []
    lives: list[Life] = []
    for _ in range(rounds):
        ports += bare.ports(count)
        lives += together(zun, count)
    done, theirs = ms([one.done for one in lives]), ms([port["all"] for port in ports])
    section = Section(f"{count} at once, {rounds} times, taken in turns", "as many ports at once, on one host")
    section.rows += [
        Row("median until the action is finished", done, "ms", theirs),
        Row("  the same, against the bound of the issue", done, "ms", target=TOGETHER_MS),
        Row("beyond Neutron's own time, difference of the medians", done - theirs, "ms", target=BEYOND_MS),
        Row("the last one", max(one.done for one in lives) * 1000, "ms", max(port["all"] for port in ports) * 1000),
    ]
    return section


def sizes(cloud: World) -> Section:
    """What the processes have in memory, after all that."""
    section = Section("Memory of the processes, after all this (RSS)", "none")
    found = [("API worker", service.api_workers(cloud), API_MB)]
    found += [(f"agent on {host.name}", [pid] if (pid := daemons.pid(host, "zun-compute")) else [], AGENT_MB) for host in cloud.hosts]
    for name, pids, target in found:
        if not pids:
            raise RuntimeError(f"there is no {name}")
        used = max(map(memory, pids), key=lambda each: each.rss)
        section.rows.append(Row(name, used.rss, "MB", target=target, note=f"(PSS {used.pss:.0f})"))
    return section


def measure(cloud: World, rounds: int, count: int, times: int) -> Iterator[Section]:
    """All of it, part by part. Raises RuntimeError, OSError."""
    import openstack

    demo = openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **cloud.account("demo"))
    network = next(iter(demo.network.networks(name="private")))
    zun = Zun(cloud, demo)
    with Bare(cloud, network.id, network.project_id, cloud.hosts[0].name) as bare:
        yield alone(zun, bare, rounds)
        yield many(zun, bare, count, times)
    yield sizes(cloud)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.ports", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="containers, one after the other (15)")
    parser.add_argument("--many", type=int, default=10, help="containers at once (10)")
    parser.add_argument("--times", type=int, default=2, help="how often so many (2)")
    asked = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M}, {os.cpu_count()} cores, load {_load()}")
    try:
        for section in measure(world.load(), asked.rounds, asked.many, asked.times):
            print(plain([section]), flush=True)
    except Exception:
        traceback.print_exc()
        print("could not measure", file=sys.stderr)
        return 1
    print(f"\nload afterwards {_load()}")
    return 0


def _load() -> str:
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


if __name__ == "__main__":
    sys.exit(main())
