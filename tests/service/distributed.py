"""The service as several processes: API, two conductors, a host's agent, a stream proxy; MariaDB and RabbitMQ between them."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import bcrypt
import pytest
import requests

from tests.brokers import RabbitMQ
from tests.engines import Dockerd
from tests.servers import Server
from tests.service.aio import PATIENCE, Aio, eventually

PASSWORD = "of the tests"
#: by name, the module of the command and the host name that it has
PARTS = {
    "api": ("api", "controller"),
    "conductor-1": ("conductor", "controller"),
    "conductor-2": ("conductor", "controller-2"),
    "compute": ("compute", "host-1"),
    "wsproxy": ("wsproxy", "controller"),
}
#: who is told where the database is; the others could not ask it if they would
WITH_DATABASE = ("api", "conductor")


class Distributed(Aio):
    """The processes by their names; what :class:`Aio` does to its one process is done to all of them."""

    def __init__(self, folder: Path, engine: Dockerd, database: str, broker: RabbitMQ) -> None:
        super().__init__(folder, engine)
        self.proxy_port = _free_port()
        users = folder / "users"
        users.write_text(
            "".join(f"{name}:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}\n" for name in ("admin", "reader"))
        )
        self.config.write_text(
            f"[DEFAULT]\ntransport_url = {broker.url}\nrpc_response_timeout = 10\nstate_path = {self.state}\n"
            "default_image_pull_policy = ifnotpresent\n"
            f"[api]\nport = {self.port}\nauth_strategy = basic\n"
            f"[basic_auth]\nuser_file = {users}\nusers = admin:project-1:admin,member,reader\n"
            f"[docker]\nsocket_path = {engine.socket}\n"
            f"[compute]\nreserved_host_memory = 0\nheartbeat_interval = 2\n"
            f"[websocket_proxy]\nwsproxy_port = {self.proxy_port}\nbase_url = ws://127.0.0.1:{self.proxy_port}/\n"
            # RabbitMQ 3.10 cannot go on with a quorum queue that is younger than three minutes when it is killed.
            "[oslo_messaging_rabbit]\nrabbit_quorum_queue = false\namqp_durable_queues = true\n"
        )
        self.secrets = folder / "database.conf"
        self.secrets.write_text(f"[database]\nconnection = {database}\n")
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def password(self) -> str:
        """See Aio."""
        return PASSWORD

    def start(self, *, engine_away: bool = False) -> None:
        """Start all of them and wait until the host is up."""
        self.manage("db", "upgrade")
        for name in PARTS:
            self.begin(name)
        eventually(lambda: self._up(engine_away), f"the service answers; its logs: {self.folder}")

    def manage(self, *words: str) -> None:
        """zun-manage."""
        command = [sys.executable, "-m", "zun.cmd.manage", "--config-file", str(self.secrets), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
        assert done.returncode == 0, done.stderr

    def begin(self, name: str, settings: str = "") -> None:
        """Start one process, with these settings of its own besides, and wait until it serves or has ended."""
        module, host = PARTS[name]
        before = self._served(name)
        own = self.folder / f"{name}.conf"
        own.write_text(f"[DEFAULT]\nhost = {host}\n{settings}")
        files = [self.config, own, *([self.secrets] if module in WITH_DATABASE else [])]
        command = [sys.executable, "-m", f"zun.cmd.{module}", *(word for file in files for word in ("--config-file", str(file)))]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, cwd=Path(__file__).parents[2], env=dict(os.environ)
            )
        eventually(lambda: self._served(name) > before or self._running[name].poll() is not None, f"{name} serves")

    def _served(self, name: str) -> int:
        log = self.folder / f"{name}.log"
        return log.read_text().count("serves as") if log.exists() else 0

    def begin_workers(self, name: str, command: Callable[[int], list[str]]) -> str:
        """Start workers of the API in somebody else's WSGI server, whose ``command`` is told the port; returns their URL."""
        port = _free_port()
        variables = {"OS_ZUN_CONFIG_DIR": str(self.folder), "OS_ZUN_CONFIG_FILES": "zun.conf; database.conf; api.conf"}
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command(port), stdout=log, stderr=log, start_new_session=True, cwd=Path(__file__).parents[2], env=os.environ | variables
            )
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return requests.get(f"{url}/healthcheck", timeout=PATIENCE / 2).status_code == 200
            except (requests.ConnectionError, requests.Timeout):
                return False

        eventually(answers, f"{name} answers; its log: {self.folder}")
        return url

    def end(self, name: str, how: signal.Signals = signal.SIGKILL) -> int:
        """End one process; returns its exit code."""
        process = self._running.pop(name)
        process.send_signal(how)
        return process.wait(PATIENCE)

    def wait_for_end(self, name: str) -> int:
        """Until a process has ended by itself; returns its exit code."""
        return self._running.pop(name).wait(PATIENCE)

    def told_to(self, name: str) -> str:
        """All that a process is configured with."""
        words = Path(f"/proc/{self._running[name].pid}/cmdline").read_text().split("\0")
        return "".join(Path(file).read_text() for word, file in itertools.pairwise(words) if word == "--config-file")

    def log_of(self, name: str) -> str:
        """What a process has logged."""
        return (self.folder / f"{name}.log").read_text()

    def _up(self, engine_away: bool) -> bool:
        for name, process in self._running.items():
            if process.poll() is not None:
                pytest.fail(f"{name} ended by itself:\n{self.log_of(name)[-3000:]}")
        try:
            return any(service["state"] == "up" for service in self.get("/services").json().get("services", []))
        except requests.ConnectionError:
            return False

    def _end(self, how: signal.Signals) -> int:
        codes = [self.end(name, how) for name in list(self._running)]
        return max(codes, default=0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def distributed(engine: Dockerd, mariadb: Server, broker: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distributed]:
    """A distributed service for the tests of a module, running, on an empty database: whatever they end they begin again."""
    yield from running(tmp_path_factory.mktemp("distributed"), engine, mariadb, broker)


def running(folder: Path, engine: Dockerd, server: Server, broker: RabbitMQ) -> Iterator[Distributed]:
    """A distributed service on an empty database of a server."""
    with closing(server.connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("DROP DATABASE IF EXISTS distributed")
        cursor.execute("CREATE DATABASE distributed")
    made = Distributed(folder, engine, server.url("distributed"), broker)
    try:
        made.start()
        yield made
    finally:
        made.clean()
