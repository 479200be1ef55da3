"""A plain client of the API on one kept connection."""

from __future__ import annotations

import base64
import http.client
import json
import time
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

VERSION = "container 1.40"
#: where there are streams of events and logs
NEWEST = "container 1.41"


class Refused(Exception):
    """The service answered with an error where none was expected."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the service is and how to be let in."""

    port: int
    password: str
    host: str = "127.0.0.1"

    def headers(self, version: str = VERSION) -> dict[str, str]:
        """What every request carries."""
        token = base64.b64encode(f"admin:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {token}", "OpenStack-API-Version": version, "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Token:
    """Where a service of a cloud is, and a token of Keystone's."""

    host: str
    port: int
    token: str

    def headers(self, version: str = VERSION) -> dict[str, str]:
        """What every request carries."""
        return {"X-Auth-Token": self.token, "OpenStack-API-Version": version, "Accept": "application/json"}


class Client:
    """One connection. Not for several threads."""

    def __init__(self, access: Access | Token) -> None:
        self._connection = http.client.HTTPConnection(access.host, access.port, timeout=60)
        self._headers, self._newest = access.headers(), access.headers(NEWEST)
        # Some servers of a cloud hang up after each answer, and do not say so.
        self._kept = isinstance(access, Access)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Any = None, *, missing_is_none: bool = False) -> Any:
        """The decoded answer; None for an empty one. Raises Refused, OSError."""
        text = self.fetch(method, path, body, missing_is_none=missing_is_none)
        return json.loads(text) if text else None

    def fetch(self, method: str, path: str, body: Any = None, *, missing_is_none: bool = False) -> bytes:
        """The answer as it came; nothing for something missing, if that is no error. Raises Refused, OSError."""
        headers = dict(self._headers)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            self._connection.request(method, path, data, headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except (http.client.HTTPException, OSError):
            self._connection.close()
            raise
        if not self._kept:
            self._connection.close()
        if answer.status == 404 and missing_is_none:
            return b""
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer.status} {text[:500].decode(errors='replace')}")
        return text

    def run(self, **asked: Any) -> str:
        """Have a container run; returns its uuid as soon as that is accepted."""
        body = {"image": "busybox", "image_driver": "docker", "command": ["sleep", "100000"], "cpu": 0.1, "memory": "16"}
        return str(self.call("POST", "/v1/containers?run=true", body | asked)["uuid"])

    def moved(self, path: str, accept: str = "application/json") -> str:
        """The address, for one time, of a stream. Raises Refused, OSError."""
        self._connection.request("GET", path, headers=self._newest | {"Accept": accept})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 307:
            raise Refused(f"GET {path}: {answer.status} {text[:500].decode(errors='replace')}")
        return answer.headers["Location"]

    def show(self, uuid: str) -> dict[str, Any] | None:
        """The container; None if it is gone."""
        found: dict[str, Any] | None = self.call("GET", f"/v1/containers/{uuid}", missing_is_none=True)
        return found

    def all(self) -> list[dict[str, Any]]:
        """Every container, up to a thousand."""
        found: list[dict[str, Any]] = self.call("GET", "/v1/containers")["containers"]
        return found

    def delete(self, uuid: str) -> None:
        """Ask for its deletion, running or not."""
        self.call("DELETE", f"/v1/containers/{uuid}?force=true", missing_is_none=True)


def running(client: Client, *, seconds: float = 60, **asked: Any) -> str:
    """A container that runs. Raises TimeoutError, RuntimeError."""
    made = client.run(**asked)

    def runs() -> bool:
        shown = client.show(made)
        if shown is None or shown["status"] == "Error":
            raise RuntimeError(f"a container did not run: {shown}")
        return bool(shown["status"] == "Running")

    until(runs, seconds, "a container runs")
    return made


def deleted(client: Client, containers: list[str], *, seconds: float = 120) -> None:
    """Have these containers gone. Raises TimeoutError."""
    for made in containers:
        client.delete(made)
    until(lambda: all(client.show(made) is None for made in containers), seconds, "containers are deleted", every=0.1)


def opened(address: str, accept: str = "*/*") -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """A stream at an address that :meth:`Client.moved` gave, begun. Raises Refused, OSError."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    connection.request("GET", f"{parts.path}?{parts.query}", headers={"Accept": accept})
    answer = connection.getresponse()
    if answer.status != 200:
        raise Refused(f"a stream: {answer.status} {answer.read()[:500]!r}")
    return connection, answer


def until(check: Any, seconds: float, what: str, *, every: float = 0.02) -> None:
    """Wait for ``check`` to say yes. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(every)
