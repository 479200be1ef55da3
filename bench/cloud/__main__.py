"""``python -m bench.cloud``: measure the service and its peer on the test cloud, side by side. As root, with the cloud up (``make cloud``).

The exit code says whether it could measure, not how fast anything was: a bench is no test.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from bench.__main__ import machine, write
from bench.cloud import create, ours, peer, reads, rows, sides, worker
from bench.ports import Bare
from bench.report import Section, markdown, missed, plain
from cloud import daemons, steps, world
from cloud.services import zun as service
from cloud.world import World
from tools.progress import Progress, Trouble

PARTS = ("create", "reads", "memory")
BEGIN, END = "<!-- measured on the cloud: begin -->", "<!-- measured on the cloud: end -->"


def main() -> int:
    asked = arguments()
    if os.geteuid() != 0:
        print("The bench makes a host for the peer: it needs root.", file=sys.stderr)
        return 2
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, _ended)
    try:
        cloud = world.load()
        try:
            head, sections = measure(cloud, asked)
        finally:
            if not asked.keep:
                tidy(cloud)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; everything that was started has been ended", file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        print("could not measure", file=sys.stderr)
        return 1
    if asked.markdown:
        write(asked.markdown, f"{head}\n\n{markdown(sections)}", BEGIN, END)
    print(head)
    print(plain(sections))
    print(f"\nin {time.monotonic() - begun:.0f} s")
    for row in missed(sections):
        print(f"  missed: {row.what}: {row.cells()[1]} {row.cells()[3]}, target {row.cells()[4]}")
    return 0


def measure(cloud: World, asked: argparse.Namespace) -> tuple[str, list[Section]]:
    """What was measured on, and all that was asked for."""
    steps.run(peer.steps(cloud), Progress())
    ours.start(cloud)
    customer = sides.customer(cloud)
    both = customer.sides(cloud)
    peer.await_services(cloud)
    load = os.getloadavg()[0]
    sections: list[Section] = []
    if "create" in asked.only:
        _say("create")
        rows.clear(cloud, customer.project)
        first, *others = cloud.hosts
        try:
            for host in others:
                sides.alone(cloud, host.name, disabled=True)
            with Bare(cloud, customer.network, customer.project, first.name) as bare:
                sections.append(create.measure(both, customer.network, cloud.engine(first.name), bare, asked.rounds, asked.many))
        finally:
            for host in others:
                sides.alone(cloud, host.name, disabled=False)
    if "reads" in asked.only:
        _say("reads")
        ours.fill(cloud, customer.project, reads.ROWS)
        rows.fill(cloud, customer.project, reads.ROWS)
        sections.append(reads.measure(both, (ours.workers(cloud), peer.processes(cloud).api), asked.seconds))
    if "memory" in asked.only:
        _say("memory")
        ours.fill(cloud, customer.project, reads.ROWS)
        sections.append(_memory(cloud, customer))
    head = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}, load at the beginning {load:.2f}, at the end {os.getloadavg()[0]:.2f}."
    return head, sections


def _memory(cloud: World, customer: sides.Customer) -> Section:
    theirs = peer.processes(cloud)
    agent, api = daemons.pid(cloud.hosts[0], "zun-compute"), service.api_workers(cloud)
    if agent is None or not api:
        raise Trouble("a process of the service does not run; 'make cloud' starts it again")
    worker.start(cloud)
    worked = worker.worked(cloud, customer.token, customer.network)
    return reads.processes((ours.workers(cloud), theirs.api), ([agent], theirs.agent), api, worked)


def tidy(cloud: World) -> None:
    """Leave the cloud as it was; what is not there any more is as good."""
    worker.end(cloud)
    ours.end(cloud)
    peer.end(cloud)
    sides.forget(cloud)


def _ended(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(what: str) -> None:
    print(f"measuring: {what} ...", file=sys.stderr, flush=True)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.cloud", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="containers made alone, by each way (10)")
    parser.add_argument("--many", type=int, default=3, help=f"how often {create.MANY} are made at once, by each way (3)")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each turn of reading lasts (4)")
    parser.add_argument("--only", choices=PARTS, action="append", help="some of it; all if not given")
    parser.add_argument("--keep", action="store_true", help="leave the peer up, for the next time")
    parser.add_argument("--markdown", type=Path, help=f"write the tables into this document, between '{BEGIN}' and '{END}'")
    parsed = parser.parse_args(given)
    parsed.only = parsed.only or list(PARTS)
    return parsed


if __name__ == "__main__":
    sys.exit(main())
