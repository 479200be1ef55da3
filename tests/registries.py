"""Registries for tests, on loopback: a real one that wants a password, and a front before it that records, delays and counts."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import msgspec
import pytest

from tests.engines import Dockerd, absent
from tests.images import load_busybox
from zun.drivers.runtime.docker_http import DockerHttp
from zun.drivers.runtime.docker_pull import _encoded

USER = "robot"
#: of such a form that a leak is seen wherever it is
PASSWORD = "open-sesame-6f1d"

_PATIENCE = 60.0


@dataclass(frozen=True)
class PrivateRegistry:
    """A docker-registry that opens to one account only."""

    address: str

    def holds(self, path: str) -> list[str]:
        """The tags of a repository."""
        import requests

        answer = requests.get(f"http://{self.address}/v2/{path}/tags/list", auth=(USER, PASSWORD), timeout=_PATIENCE)
        return list(answer.json().get("tags") or ())


@dataclass(frozen=True)
class Neighbourhood:
    """The engine that images are put into registries with, and the address at which engines reach these."""

    socket: str
    address: str = "127.0.0.1"


@pytest.fixture(scope="session")
def neighbourhood(request: pytest.FixtureRequest) -> Neighbourhood:
    """The session's own engine, or one of the cloud."""
    if request.config.getoption("--on-cloud"):
        cloud = request.getfixturevalue("on_cloud").cloud
        return Neighbourhood(str(cloud.engine("host-a")), cloud.gateway)
    return Neighbourhood(request.getfixturevalue("dockerd").socket)


@pytest.fixture(scope="session")
def private_registry(neighbourhood: Neighbourhood) -> Iterator[PrivateRegistry]:
    """One for the session, with ``team/web:1`` in it."""
    if shutil.which("docker-registry") is None:
        absent("docker-registry is not installed")
    root = Path(tempfile.mkdtemp(prefix="zun-private-"))
    address = f"{neighbourhood.address}:{free_port()}"
    root.joinpath("htpasswd").write_text(f"{USER}:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}\n")
    root.joinpath("config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {root}/images}}}}\nhttp: {{addr: '{address}'}}\n"
        f"auth: {{htpasswd: {{realm: tests, path: {root}/htpasswd}}}}\n"
    )
    with root.joinpath("log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(root / "config.yml")], stdout=log, stderr=log)
    try:
        until = time.monotonic() + _PATIENCE
        while not listens(address):
            assert process.poll() is None and time.monotonic() < until, root.joinpath("log").read_text()
            time.sleep(0.05)
        put(neighbourhood, address, "team/web", "1")
        yield PrivateRegistry(address)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(root, ignore_errors=True)


def put(dockerd: Dockerd | Neighbourhood, address: str, path: str, tag: str) -> None:
    """Put an image into the registry, and leave none of it in the engine."""
    reference = load_busybox(dockerd.socket, f"{address}/{path}:{tag}", extra=os.urandom(1 << 20))
    account = _encoded({"username": USER, "password": PASSWORD, "serveraddress": address})
    http = DockerHttp(dockerd.socket, timeout=60)
    try:
        with http.stream("POST", f"/images/{address}/{path}/push", query={"tag": tag}, headers={"X-Registry-Auth": account}) as pushed:
            told = b"".join(pushed.lines())
        assert b"errorDetail" not in told, told
        assert http.call("DELETE", f"/images/{reference}").ok
    finally:
        http.close()


class Front:
    """An HTTP server before a registry: passes on what it is asked, remembers what it was shown, and can be told to wait.

    Without a registry behind it, it answers that it wants a password, whatever it is asked.
    """

    def __init__(self, behind: str | None = None, address: str = "127.0.0.1") -> None:
        self.behind = behind
        #: method, path, and what came as Authorization
        self.asked: list[tuple[str, str, str | None]] = []
        self._flow = threading.Event()
        self._flow.set()
        self.waiting = threading.Event()
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                front._pass_on(self)

            do_HEAD = do_POST = do_PUT = do_PATCH = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.address = f"{address}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hold(self) -> None:
        """From now on send only half of every layer, and then wait."""
        self.waiting.clear()
        self._flow.clear()

    def release(self) -> None:
        """Send the rest."""
        self._flow.set()

    def shown(self) -> set[str]:
        """Every Authorization that it was sent."""
        return {authorization for _, _, authorization in self.asked if authorization}

    def close(self) -> None:
        """End it."""
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def _pass_on(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        authorization = handler.headers.get("Authorization")
        self.asked.append((handler.command, handler.path, authorization))
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if self.behind is None:
            handler.send_response(401)
            handler.send_header("WWW-Authenticate", 'Basic realm="somebody else"')
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        connection = http.client.HTTPConnection(self.behind, timeout=_PATIENCE)
        sent = {name: value for name, value in handler.headers.items() if name.lower() != "host"}
        connection.request(handler.command, handler.path, body=body, headers=sent)
        answer = connection.getresponse()
        content = answer.read()
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                handler.send_header(name, value.replace(self.behind, self.address))
        length = answer.getheader("Content-Length") if handler.command == "HEAD" else str(len(content))
        handler.send_header("Content-Length", length or "0")
        handler.end_headers()
        connection.close()
        with contextlib.suppress(OSError):
            self._send(handler, content)

    def _send(self, handler: http.server.BaseHTTPRequestHandler, content: bytes) -> None:
        # A layer is the only thing here that is as large.
        if "/blobs/" in handler.path and handler.command == "GET" and len(content) > 1 << 16:
            half = len(content) // 2
            handler.wfile.write(content[:half])
            handler.wfile.flush()
            if not self._flow.is_set():
                self.waiting.set()
                self._flow.wait(_PATIENCE)
            content = content[half:]
        if handler.command != "HEAD":
            handler.wfile.write(content)


class Index:
    """What Docker asks when it searches: the first version of the registry's interface."""

    def __init__(self, images: list[dict[str, Any]], address: str = "127.0.0.1") -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = {"query": "", "num_results": len(images), "results": images} if "search" in self.path else True
                content = msgspec.json.encode(found)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Docker-Registry-Standalone", "true")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.address = f"{address}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def front(private_registry: PrivateRegistry, neighbourhood: Neighbourhood) -> Iterator[Front]:
    """A front before the private registry: another address, so another registry for an engine."""
    made = Front(private_registry.address, neighbourhood.address)
    yield made
    made.close()


@pytest.fixture
def somebody_else() -> Iterator[Front]:
    """A registry of somebody who would like to know passwords."""
    made = Front()
    yield made
    made.close()


@pytest.fixture
def fresh(dockerd: Dockerd, private_registry: PrivateRegistry) -> str:
    """The name, within the private registry, of an image of which no engine has anything yet."""
    tag = secrets.token_hex(4)
    put(dockerd, private_registry.address, "team/fresh", tag)
    return f"team/fresh:{tag}"


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(address: str) -> bool:
    """Whether somebody takes calls there."""
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
