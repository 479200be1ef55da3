"""How a process of the distributed service is run: it serves until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from oslo_config import cfg
from oslo_log import log

from zun import conf as zun_conf
from zun import errors
from zun.cmd import memory

LOG = logging.getLogger(__name__)

STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})


class Process(Protocol):
    """What serves. After ``farewell`` seconds of stopping its process ends all the same: what others have not answered by then (a conductor
    that is away, a broker) they may not answer for a minute, and nothing is lost by an end at any line."""

    farewell: float

    def start(self) -> None:
        """Begin, in threads of its own."""

    def stop(self) -> None:
        """End."""


def configure(prog: str, arguments: Sequence[str], files: list[str] | None = None) -> cfg.ConfigOpts:
    """The configuration: of ``--config-file`` and ``--config-dir``, or else of the usual places (/etc/zun/zun.conf). Raises cfg.Error."""
    conf = zun_conf.new()
    conf(list(arguments), project="zun", prog=prog, default_config_files=files)
    log.setup(conf, "zun")
    return conf


def run(prog: str, arguments: Sequence[str] | None, make: Callable[[cfg.ConfigOpts], Process]) -> int:
    """Serve until told to stop, and end this process. Returns only where it cannot begin: the exit code."""
    os.umask(0o077)
    memory.one_heap()
    # Blocked here, so in every thread, and waited for below: a handler could run just before the main thread falls asleep for ever.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        conf = configure(prog, sys.argv[1:] if arguments is None else arguments)
    except cfg.Error as cause:
        print(f"{prog}: {cause}", file=sys.stderr)
        return 1
    try:
        Path(conf.state_path).mkdir(mode=0o700, parents=True, exist_ok=True)
        process = make(conf)
        process.start()
        memory.settle()
    except (OSError, ValueError, cfg.Error, errors.ZunError) as cause:
        LOG.error("%s cannot begin: %s", prog, cause)
        if conf.log_file or conf.log_dir:
            # Who has just started it by hand, or asks systemd, reads it there.
            print(f"{prog} cannot begin: {cause}", file=sys.stderr)
        return 1
    LOG.info("%s serves as %s", prog, conf.host)
    signal.sigwait(STOPPING)
    LOG.info("%s stops", prog)
    stopping = threading.Thread(target=process.stop, name="stopping", daemon=True)
    stopping.start()
    stopping.join(process.farewell)
    logging.shutdown()
    # Calls that still wait for their answers are in threads that Python would wait for: for a minute, where nobody is left to answer.
    os._exit(0)
