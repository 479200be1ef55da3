"""Commands that must succeed, one after the other: how long each took, and how much of the machine it used."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.progress import Progress


@dataclass(frozen=True, slots=True)
class Check:
    """One command that must succeed."""

    name: str
    command: Sequence[str]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. ``busy``: the part, of 1, of all processors' time in which they worked, for this or for anybody."""

    check: Check
    code: int
    seconds: float
    busy: float


def run(check: Check, variables: Mapping[str, str], progress: Progress) -> Result:
    """Run it to its end. What cannot be run at all has the code 127."""
    progress.say(check.name)
    begun, (worked, idled) = time.monotonic(), processors()
    try:
        code = subprocess.run(check.command, check=False, env=dict(variables)).returncode
    except OSError as cause:
        print(cause, file=sys.stderr)
        code = 127
    work, idle = processors()
    return Result(check, code, time.monotonic() - begun, (work - worked) / max(work - worked + idle - idled, 1))


def processors(told: Path = Path("/proc/stat")) -> tuple[int, int]:
    """For how long the processors have worked and idled since the machine began, all together, in the kernel's ticks."""
    ticks = [int(word) for word in told.read_text().split("\n", 1)[0].split()[1:9]]
    # Waiting for a disk is idling: somebody else could work meanwhile.
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, idle


def summary(results: Sequence[Result], progress: Progress) -> int:
    """Say what came of all. The exit code."""
    print("\nSummary ('busy': of all processors' time, what anybody used; where it is little, something is waited for)")
    for each in results:
        print(f"  {'ok    ' if each.code == 0 else 'FAILED'} {each.check.name}, {each.seconds:.1f} s, {each.busy:.0%} busy")
    failed = any(each.code for each in results)
    progress.say("something failed" if failed else "all is well")
    return 1 if failed else 0
