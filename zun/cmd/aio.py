"""``zun-aio``: the whole service in one process. It serves until SIGTERM or SIGINT; containers go on without it."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from oslo_config import cfg
from oslo_log import log

from zun import conf as zun_conf
from zun import errors, saga
from zun.api.serving import make_server
from zun.cmd import credentials, memory
from zun.wiring.embedded import Embedded
from zun.wiring.parts import deployment
from zun.wsproxy.app import listen

LOG = logging.getLogger(__name__)

STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})

#: Seconds that requests under way have to be answered when the service ends.
LAST_ANSWERS = 3


def configure(arguments: Sequence[str]) -> cfg.ConfigOpts:
    """The configuration, with the embedded service's own defaults beneath what the files say."""
    parser = argparse.ArgumentParser(prog="zun-aio", description=__doc__, add_help=False)
    parser.add_argument("--state-dir", type=Path, help="the folder for database, password and files")
    known, rest = parser.parse_known_args(list(arguments))
    conf = zun_conf.new()
    # The images of one machine are its own: a registry is asked for what is not there.
    conf.set_default("default_image_pull_policy", "ifnotpresent")
    conf.set_default("auth_strategy", "basic", group="api")
    if known.state_dir:
        conf.set_default("state_path", str(known.state_dir.absolute()))
    conf(rest, project="zun", prog="zun-aio", default_config_files=None if "--config-file" in arguments else [])
    if known.state_dir:
        conf.set_override("state_path", str(known.state_dir.absolute()))
    return conf


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """Be the only process that serves this state folder, for as long as the block lasts. Raises OSError where there is one already.

    The kernel gives the lock back when the process ends, however it ends.
    """
    with (state / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise OSError(f"another process ({file.read().strip() or 'of unknown number'}) serves the state folder {state}") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def main(arguments: Sequence[str] | None = None, *, fault: saga.FaultPoint = saga.no_fault) -> int:
    """Serve until told to stop. Returns the exit code: 1 where the service cannot begin. ``fault`` is for tests that kill it."""
    os.umask(0o077)
    memory.one_heap()
    # Blocked here, so in every thread, and waited for below: a handler could run just before the main thread falls asleep for ever.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        conf = configure(sys.argv[1:] if arguments is None else arguments)
    except cfg.Error as cause:
        print(f"zun-aio: {cause}", file=sys.stderr)
        return 1
    log.setup(conf, "zun")
    try:
        state = Path(conf.state_path)
        # Nobody else has a reason to look into it: the engine is given its files by root.
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        proxy = conf.websocket_proxy
        with alone(state), _listening(conf) as listening, listen(proxy.wsproxy_host, proxy.wsproxy_port) as streams:
            _serve(conf, state, listening, streams, fault)
    except (OSError, ValueError, cfg.Error, errors.ZunError) as cause:
        LOG.error("zun-aio cannot begin in %s: %s", conf.state_path, cause)
        return 1
    return 0


def _listening(conf: cfg.ConfigOpts) -> socket.socket:
    """The API's socket, before anything else is touched. Raises OSError that names the address."""
    family = socket.AF_INET6 if ":" in conf.api.host_ip else socket.AF_INET
    try:
        return socket.create_server((conf.api.host_ip, conf.api.port), family=family, backlog=1024)
    except OSError as cause:
        raise OSError(f"the API cannot listen on {conf.api.host_ip}, port {conf.api.port}: {cause.strerror or cause}") from cause


def _more_descriptors() -> None:
    """As many open files as may be: a stream holds four of them, and many systems begin a process with 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _serve(conf: cfg.ConfigOpts, state: Path, listening: socket.socket, streams: socket.socket, fault: saga.FaultPoint) -> None:
    host = f"[{conf.api.host_ip}]" if ":" in conf.api.host_ip else conf.api.host_ip
    endpoint = f"http://{host}:{conf.api.port}/v1"
    # The one user's project is as old as the database, and as lasting.
    project = deployment(state).replace("-", "")
    conf.set_default("users", [f"{credentials.USER}:{project}:admin,member,reader"], group="basic_auth")
    ensured = credentials.ensure(state, endpoint, credentials.clouds_path(os.environ))
    if ensured.note:
        LOG.warning("%s", ensured.note)
    _more_descriptors()
    service = Embedded(conf, fault=fault, streams=streams)
    server = make_server(service.app, listening, conf)
    serving = threading.Thread(target=server.run, name="api", daemon=True)
    service.start()
    serving.start()
    memory.settle()
    LOG.info("serving %s; cloud '%s' in %s", endpoint, ensured.cloud, ensured.clouds_file)
    signal.sigwait(STOPPING)
    LOG.info("stopping; containers go on")
    # The agent first: with it end the calls to the engine that requests wait for, and these can still be answered.
    service.stop()
    server.task_dispatcher.shutdown(timeout=LAST_ANSWERS)
    server.close()


if __name__ == "__main__":
    sys.exit(main())
