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
from datetime import UTC, datetime
from pathlib import Path

from bench import create, idle, lists, load
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
    parser.add_argument("--only", choices=["create", "idle", "lists", "load"], action="append", help="some of it; all if not given")
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


def measure(asked: argparse.Namespace) -> list[Section]:
    """All that was asked for, on one engine and one service."""
    sections = []
    wanted = asked.only or ["create", "idle", "lists", "load"]
    with World() as world:
        first = world.start()
        world.service.stop()
        second = world.start()
        if "create" in wanted:
            _say("create to Running")
            sections.append(create.measure(world, asked.rounds))
        if "idle" in wanted:
            _say("idle")
            section = idle.measure(world, asked.containers, asked.idle)
            section.rows.append(
                Row("start of zun-aio, no container, until its API answers", second, "s", note=f"(the very first: {first:.1f})")
            )
            sections.append(section)
        if "lists" in wanted or "load" in wanted:
            _say("lists")
            section = lists.measure(world, asked.lists)
            sections.append(section)
        if "load" in wanted:
            _say("requests per second")
            section = load.measure(world, asked.seconds)
            after = idle.memory(world.service.pid)
            section.rows.append(Row("RSS after all of this", after.rss, "MB", target=idle.MEMORY_TARGET, note=f"(PSS {after.pss:.0f})"))
            sections.append(section)
    return sections


def _say(what: str) -> None:
    print(f"measuring: {what} ...", file=sys.stderr, flush=True)


def write(document: Path, text: str) -> None:
    """Replace what stands between the marks. Raises ValueError if there are none."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
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
