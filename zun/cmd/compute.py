"""``zun-compute``: the agent of this host."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from zun.cmd.service import run
from zun.wiring.compute import Compute


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop. Returns the exit code."""
    return run("zun-compute", arguments, Compute)


if __name__ == "__main__":
    sys.exit(main())
