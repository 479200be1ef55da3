"""What the measurements run on: an engine of their own and the service as a process of its own, both gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Self

from bench.client import Access, Client, Refused
from tests.engines import Dockerd
from tests.images import load_busybox
from zun.drivers.runtime.docker_http import DockerHttp

READY_SECONDS = 60.0
STOP_SECONDS = 30.0

CONFIGURATION = """\
[DEFAULT]
log_file = {folder}/zun.log
use_stderr = false
# The hosts of the rows that are made for the lists never report.
[compute]
service_down_time = 86400
[docker]
socket_path = {socket}
# A log of 100 MB shall be one.
log_max_size = 512
[websocket_proxy]
wsproxy_port = 0

[api]
port = {port}
[basic_auth]
users = admin:{project}:admin,member,reader
[quota]
containers = -1
cpu = -1
memory = -1
disk = -1
"""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A process of ours, ended by its process id."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: dict[str, str]) -> None:
        self._arguments, self._log, self._environment = arguments, log, environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Raises RuntimeError if it does not run."""
        if self._process is None or not self.runs:
            raise RuntimeError(f"{self._arguments[2]} does not run")
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; see ``runs`` for what became of it."""
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C is for us, and we end it in our order.
            self._process = subprocess.Popen(self._arguments, stdout=log, stderr=log, env=self._environment, start_new_session=True)

    def stop(self) -> None:
        """End it; ended already is as good."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class World:
    """An engine, a state folder and the service, ready to be started."""

    def __init__(self) -> None:
        # A socket's path has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="zun-bench-"))
        self.engine = Dockerd(self.folder / "docker")
        self.state = self.folder / "state"
        self.project = uuid.uuid4().hex
        self.port = free_port()
        # Compiled modules are kept, but not beside anybody's sources.
        unset = ("PYTHONDONTWRITEBYTECODE", "OS_CLIENT_CONFIG_FILE")
        self.environment = {name: value for name, value in os.environ.items() if name not in unset} | {
            "PYTHONPYCACHEPREFIX": str(self.folder / "pyc"),
            "OS_CLIENT_CONFIG_FILE": str(self.folder / "clouds.yaml"),
        }
        self.arguments = ["--state-dir", str(self.state), "--config-file", str(self.folder / "zun.conf")]
        self.service = Process([sys.executable, "-m", "zun.cmd.aio", *self.arguments], self.folder / "zun.out", self.environment)
        self.hello_port = free_port()
        self.hello = Process([sys.executable, "-m", "bench.hello", str(self.hello_port)], self.folder / "hello.out", self.environment)

    def __enter__(self) -> Self:
        try:
            signal.signal(signal.SIGTERM, _terminated)
            (self.folder / "docker").mkdir()
            self.engine.start()
            load_busybox(self.engine.socket)
            text = CONFIGURATION.format(folder=self.folder, socket=self.engine.socket, port=self.port, project=self.project)
            (self.folder / "zun.conf").write_text(text)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # A second Ctrl-C must not leave a daemon behind.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        try:
            self.hello.stop()
            self.service.stop()
            with contextlib.suppress(Exception):
                self._empty_engine()
            self.engine.clean()
            shutil.rmtree(self.folder, ignore_errors=True)
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    @property
    def access(self) -> Access:
        """The way into the service. Raises OSError before its first start."""
        return Access(self.port, (self.state / "password").read_text().strip())

    def start(self) -> float:
        """Start the service. Returns the seconds until its API answers and knows of a host that is up."""
        begun = time.monotonic()
        self.service.start()
        while not self._answers():
            if not self.service.runs or time.monotonic() - begun > READY_SECONDS:
                raise RuntimeError(f"zun-aio did not come up:\n{self.log()}")
            time.sleep(0.01)
        return time.monotonic() - begun

    def log(self) -> str:
        """The end of what the service has written."""
        files = [self.folder / "zun.out", self.folder / "zun.log"]
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in files if path.exists())

    def _answers(self) -> bool:
        try:
            with Client(self.access) as client:
                return any(service["state"] == "up" for service in client.call("GET", "/v1/services")["services"])
        except (OSError, Refused):
            return False

    def _empty_engine(self) -> None:
        """Remove every container: an engine that is told to end would ask each of them first, and wait."""
        http = DockerHttp(self.engine.socket, timeout=30)
        try:
            while lines := http.call("GET", "/containers/json", query={"all": 1}).data:
                with ThreadPoolExecutor(8) as pool:
                    list(pool.map(lambda line: http.call("DELETE", f"/containers/{line['Id']}", query={"force": 1}), lines))
        finally:
            http.close()


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
