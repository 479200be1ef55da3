"""Restart policies: whether a container that ended is started again, and how long that waits. Docker's rules, decided on the host."""

from __future__ import annotations

from collections.abc import Mapping

from zun.domain.lifecycle import Desired

#: Docker's figures: 100 ms, doubled with every restart, up to a minute; a life of 10 s makes the next wait short again.
FIRST_WAIT = 0.1
LONGEST_WAIT = 60.0
LIFE_THAT_COUNTS = 10.0


def wanted(policy: Mapping[str, str], desired: Desired, exit_code: int | None, restart_count: int) -> bool:
    """Whether a container that ended with this code, after so many restarts, is to be started again."""
    if desired is not Desired.RUNNING:
        return False
    match policy.get("Name"):
        case "always" | "unless-stopped":
            return True
        case "on-failure":
            most = int(policy.get("MaximumRetryCount") or 0)
            return exit_code != 0 and (most == 0 or restart_count < most)
        case _:
            return False


def wait(quick_deaths: int) -> float:
    """Seconds to wait before the next start, after so many short lives in a row."""
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(quick_deaths, 16)))
