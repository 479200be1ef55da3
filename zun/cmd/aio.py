"""``zun-aio``: the whole service in one process. It serves until SIGTERM or SIGINT; containers go on without it."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from oslo_config import cfg
from oslo_log import log
from waitress.server import create_server

from zun import conf as zun_conf
from zun import saga
from zun.cmd import credentials
from zun.wiring import Embedded, deployment

LOG = logging.getLogger(__name__)

STOPPING = frozenset({signal.SIGTERM, signal.SIGINT})


def configure(arguments: Sequence[str]) -> cfg.ConfigOpts:
    """The configuration, with the embedded service's own defaults beneath what the files say."""
    parser = argparse.ArgumentParser(prog="zun-aio", description=__doc__, add_help=False)
    parser.add_argument("--state-dir", type=Path, help="the folder for database, password and files")
    known, rest = parser.parse_known_args(list(arguments))
    conf = zun_conf.new()
    # The images of one machine are its own: a registry is asked for what is not there.
    conf.set_default("default_image_pull_policy", "ifnotpresent")
    if known.state_dir:
        conf.set_default("state_path", str(known.state_dir.absolute()))
    conf(rest, project="zun", prog="zun-aio", default_config_files=None if "--config-file" in arguments else [])
    if known.state_dir:
        conf.set_override("state_path", str(known.state_dir.absolute()))
    return conf


def main(arguments: Sequence[str] | None = None, *, fault: saga.FaultPoint = saga.no_fault) -> int:
    """Serve until told to stop. Returns the exit code: 1 where the service cannot begin. ``fault`` is for tests that kill it."""
    os.umask(0o077)
    # Blocked here, so in every thread, and waited for below: a handler could run just before the main thread falls asleep for ever.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    conf = configure(sys.argv[1:] if arguments is None else arguments)
    log.setup(conf, "zun")
    endpoint = f"http://{conf.api.host_ip}:{conf.api.port}/v1"
    try:
        state = Path(conf.state_path)
        state.mkdir(mode=0o711, parents=True, exist_ok=True)
        # The one user's project is as old as the database, and as lasting.
        project = deployment(state).replace("-", "")
        conf.set_default("users", [f"{credentials.USER}:{project}:admin,member,reader"], group="basic_auth")
        ensured = credentials.ensure(state, endpoint, credentials.clouds_path(os.environ))
        if ensured.note:
            LOG.warning("%s", ensured.note)
        service = Embedded(conf, fault=fault)
        server = create_server(
            service.app,
            host=conf.api.host_ip,
            port=conf.api.port,
            threads=conf.api.threads,
            max_request_body_size=conf.api.max_request_body_size * 2,
            ident="zun",
            clear_untrusted_proxy_headers=True,
        )
    except OSError as cause:
        LOG.error("cannot begin to serve %s: %s", endpoint, cause)
        return 1
    serving = threading.Thread(target=server.run, name="api", daemon=True)
    service.start()
    serving.start()
    LOG.info("serving %s; cloud '%s' in %s", endpoint, ensured.cloud, ensured.clouds_file)
    signal.sigwait(STOPPING)
    LOG.info("stopping; containers go on")
    server.close()
    service.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
