"""``zun-aio`` for tests: the first argument is the point of a saga at which it kills itself (``create_container:after``, or nothing)."""

import os
import signal
import sys

from zun.cmd.aio import main


def dying_at(point: str):
    """A fault point that kills the process when ``point`` is reached."""

    def reached(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], fault=dying_at(sys.argv[1])))
