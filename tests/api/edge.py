"""The API over a real store and the real conductor, with agents that answer what a test tells them to, and a caller of any role."""

from __future__ import annotations

import json as jsonlib
import random
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import falcon.testing
import msgspec

from zun import conf as zun_conf
from zun import errors
from zun.api.app import make_app
from zun.conductor.accept import Accept, Defaults
from zun.conductor.admin import Admin
from zun.conductor.images import HostImages
from zun.conductor.networks import Networks
from zun.conductor.registries import Registries
from zun.conductor.streams import Streams
from zun.conductor.vault import Vault
from zun.conductor.verbs import Verbs
from zun.domain.action import Caller
from zun.domain.container import Container
from zun.domain.host import COMPUTE, Host, Service
from zun.domain.lifecycle import Status
from zun.domain.model import fields
from zun.domain.sandbox import Sandbox
from zun.drivers.inventory.local import LocalInventory
from zun.drivers.network.engine import EngineNetwork
from zun.drivers.volume.local import LocalVolumes
from zun.interfaces.runtime import ExecResult, FoundImage, ProcessList, Stats
from zun.interfaces.store import Store
from zun.interfaces.streams import PathStat

NOW = datetime(2024, 5, 1, 12, 30, 0, 1)
HOST = "node-1"
#: what seals passwords here
KEY = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="
OWN = "a" * 32
OTHER = "b" * 32

#: what a caller of each kind has in his token
CALLERS = {
    "reader": {"X-Project-Id": OWN, "X-User-Id": "ray", "X-Roles": "reader"},
    "member": {"X-Project-Id": OWN, "X-User-Id": "mia", "X-Roles": "member"},
    "manager": {"X-Project-Id": OWN, "X-User-Id": "max", "X-Roles": "manager"},
    "admin": {"X-Project-Id": OWN, "X-User-Id": "ada", "X-Roles": "admin"},
    "stranger": {"X-Project-Id": OTHER, "X-User-Id": "sue", "X-Roles": "member"},
    "roleless": {"X-Project-Id": OWN, "X-User-Id": "rob", "X-Roles": ""},
    "projectless": {"X-User-Id": "pit", "X-Roles": "admin"},
}


class Images:
    name = "docker"
    central = False

    def check(self, reference: str) -> None:
        if reference.endswith("!"):
            raise errors.InvalidImage(image=reference, reason="no reference")

    def choose(self, reference: str, caller: Caller) -> str | None:
        return None

    def check_target(self, caller: Caller) -> None:
        pass


class Agent:
    """Answers what the test has set; an exception is raised."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.asked: list[tuple[Any, ...]] = []

    def look(self) -> None:
        pass

    def _reply(self, *asked: Any) -> Any:
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def logs(self, container: str, *options: Any) -> bytes:
        return self._reply("logs", *options)

    def execute(self, container: str, command: list[str]) -> ExecResult:
        return self._reply("execute", command)

    def exec_create(self, container: str, command: list[str], tty: bool) -> str:
        return self._reply("exec_create", command, tty)

    def top(self, container: str, ps_args: str | None) -> ProcessList:
        return self._reply("top", ps_args)

    def stats(self, container: str) -> Stats:
        return self._reply("stats")

    def update(self, container: str, cpu: float | None, memory: int | None, *more: object) -> None:
        self._reply("update", cpu, memory)

    def search_images(self, driver: str, term: str, exact: bool) -> list[FoundImage]:
        return self._reply("search_images", driver, term, exact)

    def resize(self, container: str, height: int, width: int) -> None:
        return self._reply("resize", height, width)

    def exec_resize(self, container: str, exec_id: str, height: int, width: int) -> None:
        return self._reply("exec_resize", exec_id, height, width)


class Files:
    """Archives of containers that hold one letter."""

    def read(self, container: Container, path: str) -> Any:
        stat = PathStat(name="letter", size=1, mode=0o644, mtime="2026-01-01T00:00:00Z")
        return stat, (each for each in [b"a"])

    def write(self, container: Container, path: str, pieces: Iterable[bytes]) -> None:
        self.written = b"".join(pieces)


class Agents:
    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def on(self, host: str) -> Agent:
        return self._agent


class Edge:
    """The API as a client sees it."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        options: Iterable[str] = (),
        authenticate: Callable[[Any], Any] = lambda app: app,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.agent = Agent()
        self.conf = zun_conf.new()
        self.conf([*options], project="zun", default_config_files=[])
        inventory = LocalInventory(self.store, lambda: NOW, 180)
        defaults, network = Defaults(), EngineNetwork()
        verbs = Verbs(
            store,
            Agents(self.agent),  # type: ignore[arg-type]
            inventory,
            clock=lambda: NOW,
            defaults=defaults,
            service_down_time=180,
            poke=lambda host: None,
            images={"docker": Images()},  # type: ignore[dict-item]
        )
        accept = Accept(
            store,
            inventory,
            network=network,
            volumes=LocalVolumes(folder),
            images={"docker": Images()},  # type: ignore[dict-item]
            clock=lambda: NOW,
            defaults=defaults,
            poke=lambda: None,
            poke_host=lambda host: None,
            chance=random.Random(1),
        )
        self.app = make_app(
            conf=self.conf,
            store=store,
            accept=accept,
            verbs=verbs,
            networks=Networks(network, verbs, store),
            archives=Files(),
            registries=Registries(store, Vault(lambda: [KEY])),
            **self._hosts(inventory, defaults),
            proxy_port=6784,
            clock=lambda: NOW,
            authenticate=authenticate,
            ticks=ticks,
        )

    def _hosts(self, inventory: LocalInventory, defaults: Defaults) -> dict[str, Any]:
        """What the API has that is about hosts and what they answer."""
        agents: Any = Agents(self.agent)
        down: dict[str, Any] = {"clock": lambda: NOW, "service_down_time": 180}
        drivers: Any = {"docker": Images()}
        return {
            "images": HostImages(self.store, agents, drivers, poke=lambda host: None, **down),
            "admin": Admin(self.store, inventory, configured=defaults.quota, sweep=lambda: None, **down),
            "streams": Streams(self.store, agents, clock=lambda: NOW, lifetime=60),
        }

    def __call__(
        self,
        method: str,
        path: str,
        *,
        role: str | None = "member",
        at: str | None = None,
        json: Any = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> falcon.testing.Result:
        """A request of ``role`` at microversion ``at``; ``path`` may carry a query."""
        sent = dict(CALLERS[role]) if role else {}
        if at:
            sent["OpenStack-API-Version"] = f"container {at}"
        if json is not None:
            body = jsonlib.dumps(json).encode()
            sent["Content-Type"] = "application/json"
        plain, _, query = path.partition("?")
        return falcon.testing.simulate_request(
            self.app, method, plain, query_string=query, body=body, headers={**sent, **(headers or {})}, host="cloud.example", port=9517
        )

    def add_host(self, name: str = HOST, zone: str = "nova", seen: datetime = NOW) -> None:
        """A compute host with its service."""
        with self.store.write() as tx:
            tx.add(
                Host(uuid=str(uuid.uuid4()), hostname=name, mem_total=8192, cpus=4, disk_total=100, runtimes=["runc"], labels={"a": "b"})
            )
            tx.add(Service(uuid=str(uuid.uuid4()), host=name, binary=COMPUTE, availability_zone=zone, last_seen_up=seen, report_count=3))

    def add_container(self, name: str = "web", **given: Any) -> Container:
        """A container that exists, Running on the host unless ``given`` otherwise."""
        facts: dict[str, Any] = {
            "project_id": OWN,
            "user_id": "mia",
            "name": name,
            "image": "busybox",
            "status": Status.RUNNING,
            "host": HOST,
            "sandbox_uuid": str(uuid.uuid4()),
            "uuid": str(uuid.uuid4()),
            **given,
        }
        row = Container(**facts)
        shared = {key: getattr(row, key) for key, each in fields(Container).items() if each.field.of == "sandbox"}
        amounts: dict[str, Any] = {"cpu": row.cpu, "memory": row.memory, "disk": row.disk}
        with self.store.write() as tx:
            tx.add(Sandbox(uuid=row.sandbox_uuid, project_id=row.project_id, user_id=row.user_id, **amounts, **shared))
            tx.add(row)
        return row

    def rows(self) -> list[Container]:
        """Every container there is."""
        with self.store.read() as tx:
            return tx.find(Container)


def raw(app: Any, method: str, path: str, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    """A request as a server hands it on, without any check of its form: status, headers and body."""
    told: list[Any] = []
    made = {**falcon.testing.create_environ(method=method), "PATH_INFO": path, **environ}
    body = b"".join(app(made, lambda status, headers, info=None: told.extend((status, headers))))
    return told[0], {name.lower(): value for name, value in told[1]}, body


def error(result: falcon.testing.Result) -> dict[str, Any]:
    """The one error of an answer, checked for its form."""
    assert result.headers["content-type"].startswith("application/json")
    document = msgspec.json.decode(result.content)
    assert list(document) == ["errors"] and len(document["errors"]) == 1
    found: dict[str, Any] = document["errors"][0]
    assert {"request_id", "code", "status", "title", "detail", "links"} <= set(found)
    assert found["request_id"] == "" and found["status"] == result.status_code
    return found
