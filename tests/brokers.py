"""A RabbitMQ for tests: started by hand, on ports and in a folder of its own, ended by pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.servers import START_TIMEOUT, USER, _free_port, missing

#: oslo.messaging cannot have a slash in one
PASSWORD = "s3cr@t:of the tests"

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMQ:
    """``kill`` ends it as a crash would; ``start`` brings it back on the same port, with what it had."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self._names = _free_port()
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        # The daemon of node names: RabbitMQ would start one for good.
        self._epmd = subprocess.Popen(["epmd", "-address", "127.0.0.1", "-port", str(self._names)], stdin=subprocess.DEVNULL)
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\ndefault_user = {USER}\ndefault_pass = {PASSWORD}\nlog.console.level = warning\n"
        )

    @property
    def url(self) -> str:
        """What oslo.messaging takes."""
        return f"rabbit://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it and wait until it answers."""
        variables = {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names),
            "RABBITMQ_NODENAME": f"zun-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(_free_port()),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +S 1 -kernel inet_dist_use_interface {127,0,0,1}",
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM)], stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=variables, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"RabbitMQ did not start:\n{self._log.read_text()[-4000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        import amqp

        try:
            connection = amqp.Connection(f"127.0.0.1:{self.port}", userid=USER, password=PASSWORD, connect_timeout=2)
            connection.connect()
            connection.close()
        except Exception:
            return False
        return True

    def kill(self) -> None:
        """End it without letting it say goodbye to anybody: the script and the Erlang machine are one group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(START_TIMEOUT)
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self._epmd.kill()
        self._epmd.wait(START_TIMEOUT)


@pytest.fixture(scope="session")
def broker() -> Iterator[RabbitMQ]:
    """A RabbitMQ for the whole session; a test that ends it starts it again."""
    if not PROGRAM.exists() or not shutil.which("epmd"):
        missing("rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="zun-test-") as folder:
        server = RabbitMQ(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.close()
