"""``python -m bench``: measure everything in one run and print it. Needs root, dockerd and a static busybox.

The exit code says whether it could measure, not how fast anything was: a bench is no test.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import create, events, idle, inside, lists, load, rows, streams, throughput
from bench.report import Row, Section, markdown, missed, plain
from bench.world import World

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="containers per way of making them (20)")
    parser.add_argument("--lists", type=int, default=30, help="lists per size and way (30)")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each load lasts (4)")
    parser.add_argument("--containers", type=int, default=100, help="how many run while it idles (100)")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of idling that are measured (60)")
    parser.add_argument("--many", type=int, default=40, help="containers that several clients make at once (40)")
    parser.add_argument("--events", type=int, default=100, help="deaths, and as many starts, that are heard of (100)")
    parser.add_argument("--attached", type=int, default=100, help="idle terminals (100)")
    parser.add_argument("--watching", type=int, default=1000, help="idle watchers of events (1000)")
    parser.add_argument("--only", choices=[part.name for part in PARTS], action="append", help="some of it; all if not given")
    parser.add_argument("--markdown", type=Path, help=f"write the tables into this document, between '{BEGIN}' and '{END}'")
    return parser.parse_args()


def machine() -> str:
    """What this was measured on."""
    system = re.search(r'^PRETTY_NAME="?([^"\n]*)', Path("/etc/os-release").read_text(), re.MULTILINE)
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    engine = subprocess.run(["dockerd", "--version"], check=True, capture_output=True, text=True).stdout.split(",")[0]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
    facts = [
        f"{os.cpu_count()} cores ({model[1] if model else platform.machine()})",
        f"{memory} GiB",
        system[1] if system else platform.system(),
        f"kernel {platform.release()}",
        engine.replace("Docker version", "dockerd"),
        f"Python {platform.python_version()}",
    ]
    return ", ".join(facts)


@dataclass(frozen=True, slots=True)
class Part:
    """Something that may be measured by itself."""

    name: str
    measure: Callable[[World, argparse.Namespace], Section]


#: in this order: the lists leave rows behind that the service shows from then on
PARTS = (
    Part("create", lambda world, asked: create.measure(world, asked.rounds)),
    Part("idle", lambda world, asked: idle.measure(world, asked.containers, asked.idle)),
    Part("throughput", lambda world, asked: throughput.measure(world, asked.many)),
    Part("commands", lambda world, asked: inside.commands(world, asked.rounds)),
    Part("logs", lambda world, asked: inside.logs(world)),
    Part("events", lambda world, asked: events.measure(world, asked.events)),
    Part("streams", lambda world, asked: streams.measure(world, asked.attached, asked.watching)),
    Part("lists", lambda world, asked: lists.measure(world, asked.lists)),
    Part("show", lambda world, asked: lists.show(world, asked.lists)),
    Part("load", lambda world, asked: _load(world, asked.seconds)),
    Part("pages", lambda world, asked: lists.pages(world, asked.lists // 3)),
)


def measure(asked: argparse.Namespace) -> list[Section]:
    """All that was asked for, on one engine and one service."""
    with World() as world:
        first = world.start()
        world.service.stop()
        second = world.start()
        sections = {}
        for part in PARTS:
            if asked.only is None or part.name in asked.only:
                print(f"measuring: {part.name} ...", file=sys.stderr, flush=True)
                sections[part.name] = part.measure(world, asked)
    if "idle" in sections:
        started = Row("start of zun-aio, no container, until its API answers", second, "s", note=f"(the very first: {first:.1f})")
        sections["idle"].rows.append(started)
    return list(sections.values())


def _load(world: World, seconds: float) -> Section:
    rows.fill(world.state, world.project, load.PAGE)
    section = load.measure(world, seconds)
    after = idle.memory(world.service.pid)
    section.rows.append(Row("RSS after all of this", after.rss, "MB", target=idle.MEMORY_TARGET, note=f"(PSS {after.pss:.0f})"))
    return section


def write(document: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    """Replace what stands between the marks. Raises ValueError if there are none."""
    before, found, rest = document.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{document} has no marks")
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def main() -> int:
    asked = arguments()
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        print("The bench starts an engine of its own: it needs root, and dockerd installed.", file=sys.stderr)
        return 2
    begun = time.monotonic()
    try:
        sections = measure(asked)
        head = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}"
        if asked.markdown:
            write(asked.markdown, f"{head}.\n\n{markdown(sections)}")
    except KeyboardInterrupt:
        print("interrupted; everything that was started has been ended", file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        print("could not measure", file=sys.stderr)
        return 1
    print(head)
    print(plain(sections))
    print()
    targets = [row for section in sections for row in section.rows if row.target is not None]
    below = missed(sections)
    print(f"{len(targets) - len(below)} of {len(targets)} targets reached, in {time.monotonic() - begun:.0f} s.")
    for row in below:
        print(f"  missed: {row.what}: {row.cells()[1]}, target {row.cells()[4]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
