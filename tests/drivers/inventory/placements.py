"""A small Placement in this process, reached over HTTP: what of its API (1.38) the driver uses, and ways for it to go wrong."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from keystoneauth1 import adapter, noauth, session
from msgspec.structs import replace

from tests import stores
from zun.conformance.inventory import Books
from zun.domain.host import Host, Service
from zun.drivers.inventory.local import LocalInventory
from zun.drivers.inventory.placement import PlacementInventory
from zun.drivers.inventory.providers import Providers
from zun.drivers.inventory.reconcile import Reconciler
from zun.drivers.inventory.rest import Rest
from zun.interfaces.store import Store


class Kept(Books):
    """The books, and what keeps Placement in line with them."""

    def __init__(self, adapter: object, store: Store) -> None:
        rest = Rest(adapter)
        self.rest = rest
        self.providers = Providers(rest)
        self.reconciler = Reconciler(store, rest, self.providers, clock=stores.now, every=0, poke=lambda: None)
        rows = LocalInventory(store, stores.now, 180)
        inventory = PlacementInventory(rest, self.providers, rows, store, most=100, follow=self.reconciler.follow)
        super().__init__(inventory, store, self.reconciler.run)

    def change(self, name: str, **changes: object) -> None:
        """Change the row of a host."""
        with self.store.write() as tx:
            for row in tx.find(Host, {"hostname": name}):
                tx.save(replace(row, **changes))

    def disable(self, name: str, disabled: bool) -> None:
        with self.store.write() as tx:
            for row in tx.find(Service, {"host": name}):
                tx.save(replace(row, disabled=disabled))


class Refused(Exception):
    def __init__(self, status: int, detail: str = "", code: str = "placement.undefined_code") -> None:
        self.status, self.detail, self.code = status, detail, code


class FakePlacement:
    """Placement. ``calls`` are what was asked; ``answer`` may say how a call is answered instead (a status, 0 for a dropped connection)."""

    def __init__(self) -> None:
        self.providers: dict[str, dict[str, Any]] = {}
        self.consumers: dict[str, dict[str, Any]] = {}
        self.known_traits = {"HW_ARCH_X86_64", "HW_ARCH_AARCH64"}
        self.calls: list[str] = []
        self.answer: Callable[[str, str], int | None] = lambda method, path: None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def adapter(self, timeout: float = 5.0) -> adapter.Adapter:
        """The way to it."""
        plugged = session.Session(auth=noauth.NoAuth(endpoint=self.url), timeout=timeout)
        return adapter.Adapter(plugged, service_type="placement", endpoint_override=self.url)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    # -- what tests look at ----------------------------------------------------------------------

    def taken(self, consumer: str) -> dict[str, dict[str, int]]:
        """What a consumer takes, by the names of providers."""
        found = self.consumers.get(consumer, {"allocations": {}})["allocations"]
        return {self.providers[uuid]["name"]: each["resources"] for uuid, each in found.items()}

    def provider(self, name: str) -> dict[str, Any]:
        return next(each for each in self.providers.values() if each["name"] == name)

    def used(self, uuid: str, name: str) -> int:
        held = (each["allocations"].get(uuid, {"resources": {}})["resources"] for each in self.consumers.values())
        return sum(resources.get(name, 0) for resources in held)

    # -- the API ---------------------------------------------------------------------------------

    def serve(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        with self._lock:
            self.calls.append(f"{method} {path}")
            for pattern, handler in _ROUTES:
                found = re.fullmatch(pattern, f"{method} {path}")
                if found:
                    return handler(self, query, body, *found.groups())
        raise Refused(404, f"no {method} {path}")

    def _list(self, query: dict[str, str], body: Any) -> tuple[int, Any]:
        found = [each for each in self.providers.values() if all(each[key] == value for key, value in query.items())]
        return 200, {"resource_providers": [{"uuid": each["uuid"], "name": each["name"]} for each in found]}

    def make(self, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if any(each["name"] == body["name"] or each["uuid"] == body["uuid"] for each in self.providers.values()):
            raise Refused(409, f"Conflicting resource provider name: {body['name']} already exists.", "placement.duplicate_name")
        self.providers[body["uuid"]] = {**body, "generation": 0, "inventories": {}, "traits": []}
        return 200, {}

    def _delete(self, query: dict[str, str], body: Any, uuid: str) -> tuple[int, Any]:
        self._provider(uuid)
        if any(uuid in each["allocations"] for each in self.consumers.values()):
            raise Refused(
                409, "Unable to delete resource provider: it has allocations.", "placement.resource_provider.cannot_delete_parent"
            )
        del self.providers[uuid]
        return 204, None

    def _inventories(self, query: dict[str, str], body: Any, uuid: str) -> tuple[int, Any]:
        provider = self._provider(uuid)
        return 200, {"inventories": provider["inventories"], "resource_provider_generation": provider["generation"]}

    def _set_inventories(self, query: dict[str, str], body: Any, uuid: str) -> tuple[int, Any]:
        provider = self._generation(uuid, body)
        for name in set(provider["inventories"]) - set(body["inventories"]):
            if self.used(uuid, name):
                raise Refused(409, f"Inventory for '{name}' in use.", "placement.inventory.inuse")
        provider["inventories"] = body["inventories"]
        return 200, {}

    def _traits(self, query: dict[str, str], body: Any, uuid: str) -> tuple[int, Any]:
        provider = self._provider(uuid)
        return 200, {"traits": provider["traits"], "resource_provider_generation": provider["generation"]}

    def _set_traits(self, query: dict[str, str], body: Any, uuid: str) -> tuple[int, Any]:
        if not set(body["traits"]) <= self.known_traits:
            raise Refused(400, "No such trait")
        self._generation(uuid, body)["traits"] = body["traits"]
        return 200, {}

    def _make_trait(self, query: dict[str, str], body: Any, name: str) -> tuple[int, Any]:
        if not re.fullmatch("CUSTOM_[A-Z0-9_]+", name):
            raise Refused(400, "The trait is invalid.")
        self.known_traits.add(name)
        return 201, None

    def _allocated(self, query: dict[str, str], body: Any, uuid: str) -> tuple[int, Any]:
        provider = self._provider(uuid)
        found = {
            name: {"resources": each["allocations"][uuid]["resources"], "consumer_generation": each["generation"]}
            for name, each in self.consumers.items()
            if uuid in each["allocations"]
        }
        return 200, {"allocations": found, "resource_provider_generation": provider["generation"]}

    def _candidates(self, query: dict[str, str], body: Any) -> tuple[int, Any]:
        asked = {name: int(amount) for name, amount in (each.split(":") for each in query["resources"].split(","))}
        traits = query["required"].split(",")
        if not {trait.lstrip("!") for trait in traits} <= self.known_traits:
            raise Refused(400, "No such trait(s)")
        required, forbidden = {each for each in traits if each[0] != "!"}, {each[1:] for each in traits if each[0] == "!"}
        found = [
            each
            for each in self.providers.values()
            if required <= set(each["traits"])
            and not forbidden & set(each["traits"])
            and query.get("in_tree", each["uuid"]) == each["uuid"]
            and all(self._lacks(each["uuid"], name, amount) is None for name, amount in asked.items())
        ][: int(query["limit"])]
        summaries = {
            each["uuid"]: {"resources": {name: {"used": self.used(each["uuid"], name)} for name in each["inventories"]}} for each in found
        }
        requests = [{"allocations": {each["uuid"]: {"resources": asked}}} for each in found]
        return 200, {"allocation_requests": requests, "provider_summaries": summaries}

    def _allocation(self, query: dict[str, str], body: Any, consumer: str) -> tuple[int, Any]:
        found = self.consumers.get(consumer)
        if found is None:
            return 200, {"allocations": {}}
        return 200, {
            "allocations": found["allocations"],
            "consumer_generation": found["generation"],
            "consumer_type": found["consumer_type"],
            "project_id": found["project_id"],
            "user_id": found["user_id"],
        }

    def allocate(self, query: dict[str, str], body: Any, consumer: str) -> tuple[int, Any]:
        current = self.consumers.get(consumer)
        if body["consumer_generation"] != (current["generation"] if current else None):
            raise Refused(409, "consumer generation conflict", "placement.concurrent_update")
        for uuid, each in body["allocations"].items():
            if uuid not in self.providers:
                raise Refused(400, f"Allocation for resource provider '{uuid}' that does not exist.")
            for name, amount in each["resources"].items():
                lacking = self._lacks(uuid, name, amount, besides=consumer)
                if lacking:
                    raise Refused(409, lacking)
        if not body["allocations"]:
            self.consumers.pop(consumer, None)
        else:
            self.consumers[consumer] = {**body, "generation": (current["generation"] if current else 0) + 1}
        return 204, None

    def _release(self, query: dict[str, str], body: Any, consumer: str) -> tuple[int, Any]:
        if self.consumers.pop(consumer, None) is None:
            raise Refused(404)
        return 204, None

    def _lacks(self, uuid: str, name: str, amount: int, besides: str = "") -> str | None:
        has = self.providers[uuid]["inventories"].get(name)
        if has is None:
            return f"Unable to allocate inventory: Inventory for '{name}' on resource provider '{uuid}' invalid."
        own = self.consumers.get(besides, {"allocations": {}})["allocations"].get(uuid, {"resources": {}})["resources"].get(name, 0)
        capacity = (has["total"] - has["reserved"]) * has["allocation_ratio"]
        if self.used(uuid, name) - own + amount > capacity or amount > has["max_unit"]:
            return f"Unable to allocate inventory: Unable to create allocation for '{name}' on resource provider '{uuid}'."
        return None

    def _provider(self, uuid: str) -> dict[str, Any]:
        if uuid not in self.providers:
            raise Refused(404, f"No resource provider with uuid {uuid} found")
        return self.providers[uuid]

    def _generation(self, uuid: str, body: Any) -> dict[str, Any]:
        provider = self._provider(uuid)
        if body["resource_provider_generation"] != provider["generation"]:
            raise Refused(409, "resource provider generation conflict", "placement.concurrent_update")
        provider["generation"] += 1
        return provider


_ONE = "([^/]+)"
_ROUTES: list[tuple[str, Callable[..., tuple[int, Any]]]] = [
    ("GET /resource_providers", FakePlacement._list),
    ("POST /resource_providers", FakePlacement.make),
    (f"DELETE /resource_providers/{_ONE}", FakePlacement._delete),
    (f"GET /resource_providers/{_ONE}/inventories", FakePlacement._inventories),
    (f"PUT /resource_providers/{_ONE}/inventories", FakePlacement._set_inventories),
    (f"GET /resource_providers/{_ONE}/traits", FakePlacement._traits),
    (f"PUT /resource_providers/{_ONE}/traits", FakePlacement._set_traits),
    (f"GET /resource_providers/{_ONE}/allocations", FakePlacement._allocated),
    (f"PUT /traits/{_ONE}", FakePlacement._make_trait),
    ("GET /allocation_candidates", FakePlacement._candidates),
    (f"GET /allocations/{_ONE}", FakePlacement._allocation),
    (f"PUT /allocations/{_ONE}", FakePlacement.allocate),
    (f"DELETE /allocations/{_ONE}", FakePlacement._release),
]


def _handler(placement: FakePlacement) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            said = placement.answer(self.command, parts.path)
            if said == 0:
                self.close_connection = True
                return
            try:
                if said is not None:
                    raise Refused(said, "out of order")
                status, answer = placement.serve(self.command, parts.path, dict(parse_qsl(parts.query)), body)
            except Refused as refused:
                status, answer = refused.status, {"errors": [{"status": refused.status, "detail": refused.detail, "code": refused.code}]}
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = _serve

        def log_message(self, *said: Any) -> None:
            pass

    return Handler
