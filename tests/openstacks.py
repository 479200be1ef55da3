"""A small OpenStack over HTTP: what a request asks of Keystone, Neutron, Cinder and Glance. Any call can be answered otherwise."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

#: whose the token of a request is
PROJECT, USER = "a" * 32, "b" * 32
#: whose the tokens are that are got with a password
SERVICE_PROJECT = "c" * 32
TOKENS = "/v3/auth/tokens"
#: what is not answered at all, though it is done
SILENCE = 0

NET, LENT, OPEN, PORT, KEPT, IMAGE = (f"{number}0000000-0000-4000-8000-000000000000" for number in range(1, 7))
_SUBNET = {"id": "sub", "network_id": NET, "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1", "enable_dhcp": True, "ip_version": 4}
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}")

#: by the kind of a call and its number, its HTTP status, SILENCE, or None for a good answer
Fault = Callable[[str, int], int | None]


def no_fault(kind: str, number: int) -> int | None:
    """Everything is answered."""
    return None


def _net(net: str, **more: Any) -> dict[str, Any]:
    facts = {"id": net, "name": "office", "project_id": PROJECT, "mtu": 1450, "subnets": ["sub"], "created_at": "2026-01-01T00:00:00Z"}
    return {**facts, "shared": False, "router:external": False, **more}


class OpenStack:
    """What there is. ``calls`` has the kind of every call: method, path, what the query names. ``fault`` is asked what becomes of each."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.fault: Fault = no_fault
        self.calls: list[str] = []
        self.awake = threading.Event()
        self._lock = threading.Lock()
        port = {
            "id": PORT,
            "name": "mine",
            "network_id": LENT,
            "project_id": PROJECT,
            "fixed_ips": [{"subnet_id": "s", "ip_address": "10.1.0.9"}],
        }
        self.rows: dict[str, list[dict[str, Any]]] = {
            "networks": [_net(NET), _net(LENT, name="lent", project_id=SERVICE_PROJECT)],
            "subnets": [_SUBNET],
            "ports": [{**port, "status": "DOWN", "binding:vif_type": "unbound", "binding:vnic_type": "normal"}],
            "security_groups": [{"id": OPEN, "name": "open", "project_id": PROJECT}],
            "rbac_policies": [
                {"id": "r", "object_type": "network", "object_id": LENT, "action": "access_as_shared", "target_tenant": PROJECT}
            ],
            "volumes": [self.volume(KEPT, name="kept", metadata={})],
            "images": [
                {"id": IMAGE, "name": "web", "owner": PROJECT, "status": "active", "visibility": "private", "hw_architecture": ""}
                | {"container_format": "docker", "disk_format": "raw", "size": 1, "os_hash_algo": "sha512", "os_hash_value": "0"}
            ],
        }

    @staticmethod
    def volume(made: str, **told: Any) -> dict[str, Any]:
        """A volume of the project's, as Cinder shows it."""
        return {"id": made, "status": "available", "os-vol-tenant-attr:tenant_id": PROJECT, "multiattach": False, **told}

    def heard(self, kind: str) -> int | None:
        """What becomes of a call."""
        with self._lock:
            self.calls.append(kind)
            return self.fault(kind, len(self.calls))

    def begin(self, fault: Fault) -> None:
        """A new round: nothing has been asked yet."""
        with self._lock:
            self.calls, self.fault = [], fault

    def answer(self, method: str, service: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any, dict[str, str]]:
        """Status, document and headers of a good answer."""
        if path.strip("/") in ("", "v3", "v2", "v2.0"):
            return self._versions(service, bool(path.strip("/")))
        if path == TOKENS:
            return 200 if method == "GET" else 201, self._token(ours=method == "POST"), {"X-Subject-Token": f"ours-{uuid.uuid4()}"}
        kind, _, one = path.removeprefix("/v3").removeprefix("/v2.0").removeprefix("/v2").strip("/").partition("/")
        rows = self.rows.get(kind.replace("-", "_"), [])
        if method == "POST":
            rows.append(self.volume(str(uuid.uuid4()), **body["volume"]))
            return 202, {"volume": rows[-1]}, {}
        found = next((row for row in rows if row["id"] == one), None)
        if one and one != "detail":
            if method == "DELETE" and found is not None:
                rows.remove(found)
            shown = found if service == "image" else {kind.removesuffix("s").replace("-", "_"): found}
            return (404, {"code": 404}, {}) if found is None else (200, shown, {})
        told = {name: values[0] for name, values in query.items()}
        return 200, {kind.replace("-", "_"): [row for row in rows if self._fits(row, told)]}, {}

    @staticmethod
    def _fits(row: dict[str, Any], told: dict[str, str]) -> bool:
        """Whether a row is what is asked for, as far as this knows the names of what is asked."""
        names = {"project_id": "os-vol-tenant-attr:tenant_id"} if "multiattach" in row else {"target_project_id": "target_tenant"}
        asked = {names.get(name, name): value for name, value in told.items()}
        return all(str(row[name]).lower() == value.lower() for name, value in asked.items() if name in row)

    def _versions(self, service: str, one: bool) -> tuple[int, Any, dict[str, str]]:
        number = {"identity": "v3", "volume": "v3", "image": "v2", "network": "v2.0"}[service]
        version = {"id": {"v2": "v2.15", "v3": "v3.14" if service == "identity" else "v3.0"}.get(number, number), "status": "CURRENT"}
        version |= {"links": [{"rel": "self", "href": f"{self.url}/{service}/{number}/"}]}
        version |= {"version": "3.70", "min_version": "3.0", "status": "CURRENT"} if service == "volume" else {}
        if one and service == "identity":
            return 200, {"version": {**version, "status": "stable"}}, {}
        return 200, {"versions": [version]}, {}

    def _token(self, *, ours: bool) -> dict[str, Any]:
        types = {"identity": "identity", "network": "network", "volume": "block-storage", "image": "image"}
        catalog = [
            {
                "type": kind,
                "name": name,
                "id": name,
                "endpoints": [
                    {"id": f"{name}-{interface}", "interface": interface, "region": "R", "region_id": "R", "url": self._endpoint(name)}
                    for interface in ("public", "internal")
                ],
            }
            for name, kind in types.items()
        ]
        project, domain = SERVICE_PROJECT if ours else PROJECT, {"id": "default", "name": "Default"}
        return {
            "token": {
                "methods": ["password"],
                "user": {"id": USER, "name": "mia", "domain": domain},
                "project": {"id": project, "name": project, "domain": domain},
                "roles": [{"id": role, "name": role} for role in (("admin", "service") if ours else ("member",))],
                "catalog": catalog,
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "audit_ids": ["x"],
            }
        }

    def _endpoint(self, service: str) -> str:
        return f"{self.url}/{service}" + ("/v3" if service == "volume" else "")


@contextmanager
def playing() -> Iterator[OpenStack]:
    """One that answers, for as long as it is needed."""

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Handler.openstack = OpenStack(f"http://127.0.0.1:{server.server_port}")
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    try:
        yield Handler.openstack
    finally:
        Handler.openstack.awake.set()
        server.shutdown()
        server.server_close()
        serving.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    openstack: OpenStack

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def _serve(self) -> None:
        asked = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service, _, path = asked.path.strip("/").partition("/")
        names = ",".join(sorted(parse_qs(asked.query)))
        fault = self.openstack.heard(f"{self.command} {_UUID.sub('*', asked.path)}" + (f"?{names}" if names else ""))
        if fault:
            return self._answer(fault, {"message": "so the test orders"}, {})
        told = self.openstack.answer(self.command, service, f"/{path}", parse_qs(asked.query), json.loads(body or b"null"))
        if fault == SILENCE:
            self.openstack.awake.wait(60)
            self.close_connection = True
            return None
        return self._answer(*told)

    do_GET = do_POST = do_DELETE = _serve

    def _answer(self, status: int, document: Any, headers: dict[str, str]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
