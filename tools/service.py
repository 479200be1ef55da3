"""The embedded service in the background: start it, wait until it is well, stop it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools import processes
from tools.environment import Environment, fingerprint
from tools.progress import Progress, Trouble

_PATIENCE = 60.0
#: the API's well-known port, and that of the stream proxy
_PORT, _STREAM_PORT = 9517, 6784
_CONFIGURATION = """\
# Written by the quick start, at each run. All options, with their defaults: etc/zun/zun.conf.sample
[api]
port = {port}

[websocket_proxy]
wsproxy_port = {streams}

[docker]
socket_path = {socket}
"""


@dataclass(frozen=True, slots=True)
class Service:
    """``zun-aio`` of ``environment``, with all that it keeps in ``folder``."""

    folder: Path
    environment: Environment
    port: int
    variables: Mapping[str, str]

    @property
    def state(self) -> Path:
        """Its own folder: database, password, files."""
        return self.folder / "zun"

    @property
    def log(self) -> Path:
        """Where its log goes."""
        return self.folder / "zun-aio.log"

    @property
    def stream_port(self) -> int:
        """Where terminals are served: the well-known port for the service at the well-known one; for others any that is free."""
        return _STREAM_PORT if self.port == _PORT else 0

    @property
    def endpoint(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}/v1"


def start(service: Service, engine_socket: str, progress: Progress) -> None:
    """See that it runs, as this code and this configuration have it. Raises Trouble."""
    configuration = _CONFIGURATION.format(port=service.port, streams=service.stream_port, socket=engine_socket)
    mark = service.folder / "zun-aio.fingerprint"
    wanted = hashlib.sha256((fingerprint(service.environment) + configuration).encode()).hexdigest()
    if running(service.state) and mark.exists() and mark.read_text() == wanted:
        progress.say("the service runs already")
        return
    stop(service.state, progress)
    _check_port(service.port)
    if service.stream_port:
        _check_port(service.stream_port)
    progress.say(f"starting the service (zun-aio) at {service.endpoint}")
    (service.folder / "zun.conf").write_text(configuration)
    command = [service.environment.program("zun-aio"), "--state-dir", str(service.state), "--config-file", f"{service.folder}/zun.conf"]
    mark.write_text(wanted)
    processes.start(command, service.log, service.folder / "zun-aio.pid", service.variables)


def wait(service: Service) -> None:
    """Wait until it is healthy and its host is up. Raises Trouble with the end of its log."""
    deadline = time.monotonic() + _PATIENCE
    while not _well(service):
        if not running(service.state) or time.monotonic() > deadline:
            raise Trouble(f"the service does not come up. The end of {service.log}:\n{_tail(service.log)}")
        time.sleep(0.05)


def running(state: Path) -> list[int]:
    """The numbers of its processes."""
    found = processes.naming(state)
    return [pid for pid, arguments in found.items() if any(Path(argument).name == "zun-aio" for argument in arguments[:2])]


def stop(state: Path, progress: Progress) -> None:
    """End it; its containers go on."""
    for pid in running(state):
        progress.say("stopping the service")
        if not processes.end(pid, 20):
            progress.say("it did not end within 20 seconds, so it was made to")


def cloud(service: Service, progress: Progress) -> tuple[str, Mapping[str, str]]:
    """The name of its entry in the user's ``clouds.yaml``, and the variables that the client needs to find it."""
    for variables in (service.variables, {**service.variables, "OS_CLIENT_CONFIG_FILE": str(service.folder / "clouds.yaml")}):
        command = [service.environment.program("python"), "-m", "zun.cmd.credentials", "ensure"]
        command += ["--state-dir", str(service.state), "--endpoint", service.endpoint]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(variables), cwd="/")
        if done.stderr:
            progress.detail(done.stderr)
        if done.returncode == 0:
            return done.stdout.strip(), variables
    raise Trouble(f"no entry could be made for the client: {done.stderr.strip()}")


def _well(service: Service) -> bool:
    try:
        if _get(service, "/healthcheck")[0] != 200:
            return False
        status, body = _get(service, "/v1/services")
    except (OSError, http.client.HTTPException):
        return False
    return status == 200 and any(entry["state"] == "up" for entry in json.loads(body)["services"])


def _get(service: Service, path: str) -> tuple[int, bytes]:
    password = (service.state / "password").read_text().strip()
    token = base64.b64encode(f"admin:{password}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)
    try:
        connection.request("GET", path, headers={"Authorization": f"Basic {token}"})
        answer: Any = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as cause:
            raise Trouble(f"port {port} is taken ('ss -ltnp sport = :{port}' tells by whom); take another with --port") from cause


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else "(it has written nothing)"
