"""Lines that tell a person what is going on, and since when."""

from __future__ import annotations

import sys
import time


class Trouble(Exception):
    """The work cannot go on. The text says what is wrong and what the person may do about it."""


class Progress:
    """Prints one line a step, with the seconds since the beginning in front."""

    def __init__(self, spent: float = 0.0) -> None:
        """``spent`` seconds went by before this was made."""
        self._begun = time.monotonic() - spent

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    def say(self, text: str) -> None:
        """One step."""
        print(f"[{self.seconds:6.1f} s] {text}", flush=True)

    def detail(self, text: str) -> None:
        """Something that belongs to the step above, line by line."""
        for line in text.rstrip().splitlines():
            print(f"           {line}", flush=True)


def fail(trouble: Trouble) -> int:
    """Tell a trouble on standard error; the exit code."""
    print(f"\nIt did not work: {trouble}", file=sys.stderr, flush=True)
    return 1
