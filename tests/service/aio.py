"""The service as its users have it: a process of its own, real HTTP, a real engine. Started, killed and asked by tests."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.engines import Dockerd
from tests.images import load_busybox
from tests.service.nursery import Child, nursery
from tests.stores import fresh, now
from zun.db.store import SqlStore
from zun.drivers.runtime.docker_http import DockerHttp

#: Nothing here measures time: these are the bounds after which a test gives up.
PATIENCE = 120.0
#: A program that ends when it is asked to, so that no test waits for the grace of a stop.
PROGRAM = ("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait")
DEPLOYMENT_LABEL = "org.openstack.zun.deployment"


def eventually(what: Callable[[], Any], why: str = "") -> Any:
    """The first true answer of ``what``; the test fails if none comes."""
    until, pause = time.monotonic() + PATIENCE, 0.05
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > until:
            pytest.fail(f"it never came true: {why or what}")
        time.sleep(pause)
        # What takes long is not asked for often: that is time of the processors' which those who work on it need.
        pause = min(pause * 1.2, 0.3)


class Aio:
    """One embedded service with its state folder. Several may share an engine."""

    #: who ``admin`` is
    user_id = "admin"
    #: where the engine, and the service, reach what a test listens with
    nearby = "127.0.0.1"

    def __init__(self, folder: Path, engine: Dockerd, settings: str = "") -> None:
        self.folder = folder
        self.engine = engine
        self.state = folder / "state"
        self.clouds = folder / "clouds.yaml"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "zun.conf"
        self.config.write_text(
            f"[docker]\nsocket_path = {engine.socket}\n[api]\nport = {self.port}\n[websocket_proxy]\nwsproxy_port = 0\n"
            # The last group is the one that settings without a group of their own belong to.
            f"[compute]\nreserved_host_memory = 0\n{settings}"
        )
        self.log = folder / "log"
        self._fatal = folder / "fatal"
        self._process: Child | None = None

    # -- life ------------------------------------------------------------------------------------

    def migrate(self) -> None:
        """Give it a database with its tables before it begins for the first time; to make them would take it as long as all the rest."""
        self.state.mkdir(mode=0o700)
        fresh(self.state / "zun.sqlite")

    def start(self, *, engine_away: bool = False) -> None:
        """Start it and wait until it is up; with ``engine_away`` only until it answers."""
        self._fatal.unlink(missing_ok=True)
        arguments = [str(self._fatal), "--state-dir", str(self.state), "--config-file", str(self.config)]
        self._process = nursery().bear(arguments, self.log, os.environ | {"OS_CLIENT_CONFIG_FILE": str(self.clouds)})
        eventually(lambda: self._up(engine_away), f"the service answers; its log: {self.log}")

    def _up(self, engine_away: bool) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"the service ended by itself:\n{self.log.read_text()[-3000:]}")
        try:
            if requests.get(f"{self.url}/healthcheck", timeout=5).status_code != 200:
                return False
            return engine_away or any(service["state"] == "up" for service in self.get("/services").json()["services"])
        except (requests.ConnectionError, requests.Timeout, FileNotFoundError):
            return False

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        return self._end(signal.SIGTERM)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def die_at(self, point: str) -> None:
        """From now on it kills itself at this point of a saga."""
        self._fatal.write_text(point)

    def wait_for_death(self) -> None:
        """Until it has killed itself there."""
        process = self._process
        assert process is not None
        assert process.wait(PATIENCE) == -signal.SIGKILL
        self._process = None

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        return process.wait(PATIENCE)

    def empty(self) -> None:
        """Delete all its containers, and see that nothing is left of them."""
        self._fatal.unlink(missing_ok=True)
        uuids = [row["uuid"] for row in self.get("/containers").json()["containers"]]
        for uuid in uuids:
            assert self.delete(f"/containers/{uuid}", params={"force": True}).status_code == 204
        for uuid in uuids:
            self.wait_gone(uuid)
        self.assert_nothing_leaked()

    def clean(self) -> None:
        """End it, and remove from the engine what is its own."""
        self.kill()
        http = DockerHttp(self.engine.socket, timeout=30)
        try:
            for found in self.objects():
                http.call("DELETE", f"/containers/{found['Id']}", query={"force": "true", "v": "true"})
        finally:
            http.close()

    # -- HTTP ------------------------------------------------------------------------------------

    @property
    def password(self) -> str:
        """Of the user ``admin``."""
        return (self.state / "password").read_text().strip()

    def request(self, method: str, path: str, version: str = "1.40", **options: Any) -> requests.Response:
        """A request by ``admin``."""
        headers = {"OpenStack-API-Version": f"container {version}"} | options.pop("headers", {})
        return requests.request(method, f"{self.url}/v1{path}", headers=headers, auth=("admin", self.password), timeout=PATIENCE, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        """POST."""
        return self.request("POST", path, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        """DELETE."""
        return self.request("DELETE", path, **options)

    # -- containers ------------------------------------------------------------------------------

    def create(self, *command: str, run: bool = True, **fields: Any) -> str:
        """Ask for a container; returns its uuid."""
        body = {"image": "busybox", "command": list(command or PROGRAM), "cpu": 0.1, "memory": 32} | fields
        answer = self.post("/containers", params={"run": run}, json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["uuid"])

    def show(self, uuid: str) -> dict[str, Any]:
        """The container's JSON."""
        answer = self.get(f"/containers/{uuid}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait(self, uuid: str, *statuses: str) -> dict[str, Any]:
        """The container once it has one of these statuses and nothing is under way."""
        seen: dict[str, Any] = {}

        def there() -> bool:
            seen.update(self.show(uuid))
            return seen["status"] in statuses and seen["task_state"] is None

        eventually(there, f"{uuid} becomes {statuses}, last seen {seen.get('status')}: {seen.get('status_reason')}")
        return seen

    def wait_gone(self, uuid: str) -> None:
        """Until the container is no more."""
        eventually(lambda: self.get(f"/containers/{uuid}").status_code == 404, f"{uuid} is gone")

    def objects(self) -> list[dict[str, Any]]:
        """Everything in the engine that carries this deployment's mark."""
        named = self.state / "deployment"
        if not named.exists():
            return []
        deployment = named.read_text().strip()
        http = DockerHttp(self.engine.socket, timeout=30)
        try:
            answer = http.call("GET", "/containers/json", query={"all": "true"})
        finally:
            http.close()
        assert answer.ok, answer.message
        return [found for found in answer.data if found["Labels"].get(DEPLOYMENT_LABEL) == deployment]

    def inspect(self, uuid: str) -> dict[str, Any]:
        """What the engine has of a container."""
        line = next(one for one in self.objects() if one["Labels"].get("org.openstack.zun.container") == uuid)
        http = DockerHttp(self.engine.socket, timeout=30)
        try:
            return dict(http.call("GET", f"/containers/{line['Id']}/json").data)
        finally:
            http.close()

    @contextmanager
    def host_to_spare(self) -> Iterator[str]:
        """The name of a host that may be taken out of service meanwhile."""
        named = {"host": self.get("/services").json()["services"][0]["host"], "binary": "zun-compute"}
        try:
            yield named["host"]
        finally:
            self.request("PUT", "/services/enable", params=named)
            self.request("PUT", "/services/force_down", params={**named, "forced_down": False})

    def store(self) -> SqlStore:
        """Its database."""
        return SqlStore(f"sqlite:///{self.state / 'zun.sqlite'}", now)

    def assert_nothing_leaked(self) -> None:
        """In the engine there is a sandbox and a container for every row that has a host, and nothing else."""
        rows = self.get("/containers").json()["containers"]
        expected = {row["uuid"] for row in rows if row["host"] is not None}

        def settled() -> bool:
            found = self.objects()
            containers = {one["Labels"]["org.openstack.zun.container"] for one in found if "org.openstack.zun.container" in one["Labels"]}
            return containers == expected and len(found) == 2 * len(expected)

        eventually(settled, f"the engine has what the rows have: {expected}")


@pytest.fixture(scope="session")
def engine(dockerd: Dockerd) -> Dockerd:
    """The session's engine with an image in it."""
    load_busybox(dockerd.socket)
    return dockerd


@pytest.fixture(scope="session")
def embedded(engine: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aio]:
    """An embedded service that the tests of the session share."""
    yield from _running(Aio(tmp_path_factory.mktemp("aio"), engine))


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest) -> Aio:
    """The service that the tests of the session share; none of them ends it."""
    found: Aio = request.getfixturevalue("on_cloud" if request.config.getoption("--on-cloud") else "embedded")
    return found


@pytest.fixture
def own_service(engine: Dockerd, tmp_path: Path) -> Iterator[Aio]:
    """A service of the test's own, running."""
    made = Aio(tmp_path, engine)
    made.migrate()
    yield from _running(made)


def _running(aio: Aio) -> Iterator[Aio]:
    try:
        aio.start()
        yield aio
    finally:
        aio.clean()
