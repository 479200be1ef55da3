"""``zun-aio`` for tests: the first argument names a file; where that has the point of a saga (``create_container:after``), it kills itself
when it reaches that."""

import os
import signal
import sys
from pathlib import Path

from zun.cmd.aio import main


def dying_at(file: Path):
    """A fault point that kills the process when the one that ``file`` has is reached; it may come to have one, and another, at any time."""

    def reached(name: str) -> None:
        if file.exists() and name == file.read_text():
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


def run(arguments):
    """Its exit code."""
    return main(arguments[1:], fault=dying_at(Path(arguments[0])))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
