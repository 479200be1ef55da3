"""``zun-api``: the REST API with a server of its own. Others run ``zun.wsgi.api:application``."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Sequence

from oslo_config import cfg

from zun.api.serving import make_server
from zun.cmd.service import run
from zun.wiring.api import Api

#: Seconds that requests under way have to be answered when the process ends.
LAST_ANSWERS = 3


class Served:
    """A worker of the API, with waitress in front of it."""

    farewell = LAST_ANSWERS + 2.0

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Raises OSError that names the address, and what the API raises."""
        family = socket.AF_INET6 if ":" in conf.api.host_ip else socket.AF_INET
        try:
            listening = socket.create_server((conf.api.host_ip, conf.api.port), family=family, backlog=1024)
        except OSError as cause:
            raise OSError(f"the API cannot listen on {conf.api.host_ip}, port {conf.api.port}: {cause.strerror or cause}") from cause
        self._api = Api(conf)
        self._server = make_server(self._api.app, listening, conf)

    def start(self) -> None:
        """Serve."""
        self._api.start()
        threading.Thread(target=self._server.run, name="api", daemon=True).start()

    def stop(self) -> None:
        """Answer what has been asked, and end."""
        self._server.task_dispatcher.shutdown(timeout=LAST_ANSWERS)
        self._server.close()
        self._api.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop. Returns the exit code."""
    return run("zun-api", arguments, Served)


if __name__ == "__main__":
    sys.exit(main())
