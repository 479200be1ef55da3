"""``zun-wsproxy``: streams between clients and hosts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from zun.cmd.service import run
from zun.wiring.wsproxy import StreamProxy


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop. Returns the exit code."""
    return run("zun-wsproxy", arguments, StreamProxy)


if __name__ == "__main__":
    sys.exit(main())
