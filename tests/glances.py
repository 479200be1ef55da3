"""A small Glance over HTTP: what the driver uses of its API, with its rules of who sees what. A token is the name of its project."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

#: what who needs no token says for one: here it is the service
SERVICE = "notused"

#: what is shown of an image, and what it is unless somebody says otherwise
_BLANK: dict[str, Any] = {"size": None, "os_hash_algo": None, "os_hash_value": None, "tags": [], "visibility": "shared"}


class Glance:
    """The images, their data and members; what shall go wrong."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.images: dict[str, dict[str, Any]] = {}
        self.data: dict[str, bytes | bytearray] = {}
        #: by image, the status of the membership by project
        self.members: dict[str, dict[str, str]] = {}
        #: calls with this method whose path ends so are answered with this HTTP status, or not at all (0)
        self.faults: dict[tuple[str, str], int] = {}
        #: downloads end after so many bytes
        self.break_after: int | None = None
        #: method, path and token of every call
        self.calls: list[tuple[str, str, str | None]] = []
        self.awake = threading.Event()

    def put(self, data: bytes = b"", *, name: str = "web", owner: str = "mine", **facts: Any) -> str:
        """An image with its data. Returns its uuid."""
        made = str(facts.pop("id", uuid.uuid4()))
        self.images[made] = {
            **_BLANK,
            "id": made,
            "name": name,
            "owner": owner,
            "status": "active",
            "container_format": "docker",
            "disk_format": "raw",
            "created_at": f"2026-01-01T00:00:{len(self.images):02}Z",
            "updated_at": "2026-01-01T00:01:00Z",
            **_facts(data),
            **facts,
        }
        self.data[made] = data
        return made

    def downloads(self) -> int:
        """How often somebody began to fetch an image."""
        return sum(method == "GET" and path.endswith("/file") for method, path, _ in self.calls)

    def sees(self, image: dict[str, Any], project: str | None) -> bool:
        """Whether a project sees an image at all; the service sees everything."""
        shared = image["visibility"] == "shared" and project in self.members.get(image["id"], {})
        return project is None or image["owner"] == project or image["visibility"] in ("public", "community") or shared

    def listed(self, project: str | None, query: dict[str, str]) -> list[dict[str, Any]]:
        """A list as this project gets it."""
        status = query.get("member_status", "accepted")
        operator, colon, name = query.get("name", "").partition(":")
        if colon:
            assert (operator, name[0], name[-1]) == ("in", '"', '"'), "Glance does not know this operator"
            query = {**query, "name": name[1:-1]}
        found = []
        for image in reversed(self.images.values()):
            member = self.members.get(image["id"], {}).get(project or "") == status
            own = project is None or image["owner"] == project or image["visibility"] == "public"
            if not own and not (image["visibility"] == "shared" and member):
                continue
            if query.get("tag") is not None and query["tag"] not in image["tags"]:
                continue
            names = ("name", "owner", "visibility", "container_format", "status")
            if all(image[name] == query[name] for name in names if name in query):
                found.append(image)
        beyond = [image["id"] for image in found].index(query["marker"]) + 1 if "marker" in query else 0
        return found[beyond : beyond + int(query.get("limit", 25))]


def _facts(data: bytes | bytearray) -> dict[str, Any]:
    return {"size": len(data), "os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(data).hexdigest()}


def connecting(url: str) -> Callable[[], Any]:
    """What makes a connection of openstacksdk to it, by which who says nothing is the service."""
    from keystoneauth1 import noauth, session
    from openstack import connection

    def connect() -> Any:
        reached = session.Session(auth=noauth.NoAuth(endpoint=f"{url}/v2"), timeout=10)
        return connection.Connection(session=reached, image_endpoint_override=f"{url}/v2", service_types={"image"})

    return connect


@contextmanager
def playing() -> Iterator[Glance]:
    """A Glance that answers, for as long as it is needed."""

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Handler.glance = Glance(f"http://127.0.0.1:{server.server_port}")
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    try:
        yield Handler.glance
    finally:
        Handler.glance.awake.set()
        server.shutdown()
        server.server_close()
        serving.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    glance: Glance

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        asked = urlsplit(self.path)
        project = None if self.headers.get("X-Auth-Token") == SERVICE else self.headers["X-Auth-Token"]
        path = asked.path.removeprefix("/v2")
        if path in ("", "/"):
            current = {"id": "v2.15", "status": "CURRENT", "links": [{"rel": "self", "href": f"{self.glance.url}/v2/"}]}
            return self._answer(300, {"versions": [current]})
        self.glance.calls.append((self.command, path, project))
        fault = next((code for (method, end), code in self.glance.faults.items() if method == self.command and path.endswith(end)), None)
        if fault == 0:
            self.glance.awake.wait(60)
        if fault is not None:
            # What was sent with the call is not read.
            return self._answer(fault or 500, {"message": "so the test orders"}, {"Connection": "close"})
        parts = path.strip("/").split("/")
        if parts == ["images"]:
            return self._all(project, dict(parse_qsl(asked.query)))
        image = self.glance.images.get(parts[1])
        if image is None or not self.glance.sees(image, project):
            return self._answer(404, {"message": "No image found"})
        return {"file": self._file, "members": self._member}.get(parts[2] if parts[2:] else "", self._one)(image, parts)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _all(self, project: str | None, query: dict[str, str]) -> None:
        if self.command == "GET":
            return self._answer(200, {"images": self.glance.listed(project, query)})
        made = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if made["id"] in self.glance.images:
            return self._answer(409, {"message": "There is an image of this id"})
        self.glance.put(**made, status="queued", size=None, os_hash_algo=None, os_hash_value=None)
        return self._answer(201, self.glance.images[made["id"]])

    def _one(self, image: dict[str, Any], _: list[str]) -> None:
        if self.command != "DELETE":
            return self._answer(200, image)
        del self.glance.images[image["id"]]
        return self._answer(204, None)

    def _member(self, image: dict[str, Any], parts: list[str]) -> None:
        status = self.glance.members.get(image["id"], {}).get(parts[3])
        return self._answer(404, {}) if status is None else self._answer(200, {"member_id": parts[3], "status": status})

    def _file(self, image: dict[str, Any], _: list[str]) -> None:
        if self.command == "PUT":
            return self._stored(image)
        data, stop = self.glance.data[image["id"]], self.glance.break_after
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with memoryview(data) as whole:
            self.wfile.write(whole[:stop])
        self.close_connection = stop is not None
        return None

    def _stored(self, image: dict[str, Any]) -> None:
        """As a real one: what is broken off makes the image wait again."""
        image["status"] = "saving"
        data = bytearray()
        while size := int(self.rfile.readline().strip() or b"-1", 16):
            if size < 0:
                image["status"] = "queued"
                self.close_connection = True
                return None
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        self.glance.data[image["id"]] = data
        image.update(_facts(data), status="active")
        return self._answer(204, None)

    def _answer(self, status: int, body: Any, more: dict[str, str] | None = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
