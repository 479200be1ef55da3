"""``zun-conductor``: what goes on without a request."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from zun.cmd.service import run
from zun.wiring.conductor import Conducting


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop. Returns the exit code."""
    return run("zun-conductor", arguments, Conducting)


if __name__ == "__main__":
    sys.exit(main())
