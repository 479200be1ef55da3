"""The embedded whole with an engine in memory, served on real sockets by this process: quick, and nothing but the engine is replaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import bcrypt
import requests
from msgspec.structs import replace

from zun.api.serving import make_server
from zun.cmd.aio import configure
from zun.domain.container import Container
from zun.domain.lifecycle import Status
from zun.drivers.runtime.fake import FakeEngine, FakeRuntime, Program
from zun.interfaces.runtime import EngineImage
from zun.wiring.embedded import Embedded
from zun.wiring.parts import utcnow
from zun.wsproxy.app import listen

OWN, OTHER = "a" * 32, "b" * 32
PASSWORD = "of no worth"
#: user, project, roles; ``pit`` can say who he is and nothing else
USERS = (
    ("admin", OWN, "admin"),
    ("max", OWN, "manager"),
    ("mia", OWN, "member"),
    ("ray", OWN, "reader"),
    ("rob", OWN, "janitor"),
    ("sue", OTHER, "member"),
)
#: after which a test gives up
PATIENCE = 30.0

#: room for whatever a test makes; and nobody looks at a container by himself whose status is only pretended
PLENTY = """
[quota]
containers = -1
memory = -1
cpu = -1
disk = -1
[compute]
reserved_host_memory = 0
ram_allocation_ratio = 1000
cpu_allocation_ratio = 1000
sync_container_state_interval = 3600
heartbeat_interval = 60
"""


class Served:
    """One service. ``programs`` are what commands do in its engine; ``clock`` tells it the time."""

    def __init__(
        self,
        folder: Path,
        programs: Mapping[str, Program] | None = None,
        settings: str = "",
        clock: Callable[[], datetime] = utcnow,
    ) -> None:
        users = "".join(f"users = {name}:{project}:{roles}\n" for name, project, roles in USERS)
        config = folder / "zun.conf"
        config.write_text(f"[api]\nhost_ip = 127.0.0.1\n[basic_auth]\n{users}{PLENTY}{settings}")
        state = folder / "state"
        state.mkdir()
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        state.joinpath("htpasswd").write_text("".join(f"{name}:{hashed}\n" for name in (*(user for user, *_ in USERS), "pit")))
        self.conf = configure(["--state-dir", str(state), "--config-file", str(config)])
        self.engine = FakeEngine({"docker.io/library/busybox:latest": EngineImage(id="sha256:busybox", ports=[80])})
        self.engine.programs.update({(name,): program for name, program in (programs or {}).items()})
        self._proxy = listen("127.0.0.1", 0)
        self.service = Embedded(self.conf, runtime=FakeRuntime(self.engine), clock=clock, streams=self._proxy)
        self.store = self.service.store
        listening = listen("127.0.0.1", 0)
        self._server = make_server(self.service.app, listening, self.conf)
        self._serving = threading.Thread(target=self._server.run, daemon=True)
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._session = requests.Session()

    def start(self) -> None:
        """Serve, and wait until the host is up."""
        self.service.start()
        self._serving.start()
        self.until(lambda: any(row["state"] == "up" for row in self.ask("GET", "/services", user="admin").json()["services"]))

    def stop(self) -> None:
        """End."""
        self._session.close()
        self.service.stop()
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.close()
        self._serving.join(PATIENCE)

    def ask(self, method: str, path: str, *, user: str | None = "mia", at: str = "1.41", **options: Any) -> requests.Response:
        """A request below /v1."""
        headers = {"OpenStack-API-Version": f"container {at}"} | options.pop("headers", {})
        credentials = (user, PASSWORD) if user else None
        return self._session.request(method, f"{self.url}/v1{path}", headers=headers, auth=credentials, timeout=PATIENCE, **options)

    def until(self, what: Callable[[], Any]) -> Any:
        """The first true answer."""
        end = time.monotonic() + PATIENCE
        while not (answer := what()):
            assert time.monotonic() < end, "it never came true"
            time.sleep(0.005)
        return answer

    # -- containers ------------------------------------------------------------------------------

    def container(self, status: str = "Running", **fields: Any) -> str:
        """The uuid of a container in a status: by its own means where that is easily had, else as if it had come about."""
        body = {"image": "busybox", "cpu": 0.1, "memory": 16, **fields}
        made = self.ask("POST", f"/containers?run={status != 'Created'}", json=body)
        assert made.status_code == 202, made.text
        uuid = str(made.json()["uuid"])
        self.rests(uuid, "Created" if status == "Created" else "Running")
        verb = {"Stopped": "stop", "Paused": "pause", "Error": "stop", "Dead": "stop", "Deleted": "stop"}.get(status)
        if verb:
            assert self.ask("POST", f"/containers/{uuid}/{verb}").status_code == 202
            self.rests(uuid, "Paused" if verb == "pause" else "Stopped")
        if status not in ("Created", "Running", "Stopped", "Paused"):
            self.pretend(uuid, status)
        return uuid

    def pretend(self, uuid: str, status: str) -> None:
        """Have the row show a status."""

        def write(tx: Any) -> None:
            row = tx.get(Container, uuid)
            tx.save(replace(row, status=Status(status)))

        self.store.settle(write)

    def show(self, uuid: str) -> dict[str, Any] | None:
        """What an administrator sees of it; None once it is gone."""
        answer = self.ask("GET", f"/containers/{uuid}", user="admin")
        return None if answer.status_code == 404 else dict(answer.json())

    def rests(self, uuid: str, *statuses: str) -> dict[str, Any]:
        """Wait until it has one of the statuses, and nothing is under way."""
        seen: list[Any] = []

        def there() -> bool:
            seen.append(self.show(uuid))
            return seen[-1] is not None and seen[-1]["status"] in statuses and seen[-1]["task_state"] is None

        try:
            self.until(there)
        except AssertionError:
            raise AssertionError(f"{uuid} becomes {statuses}; last seen: {seen[-1]}") from None
        return dict(seen[-1])
