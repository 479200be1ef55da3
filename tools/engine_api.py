"""The few calls to a Docker engine that the quick start needs, over its unix socket: there may be no docker command."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from tools.progress import Trouble


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Engine:
    """A Docker engine behind a unix socket. Calls raise OSError when it does not answer, and Trouble when it answers no."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def answers(self) -> bool:
        """Whether somebody who speaks Docker's language is there."""
        try:
            return self._call("GET", "/_ping", timeout=5)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def version(self) -> str:
        """The engine's version."""
        return str(self._json("GET", "/version")["Version"])

    def image(self, reference: str) -> str | None:
        """The id of an image that the engine holds, or None."""
        status, body = self._call("GET", f"/images/{quote(reference)}/json")
        return str(json.loads(body)["Id"]) if status == 200 else None

    def images(self) -> dict[str, str]:
        """The id of each image by its reference."""
        return {tag: image["Id"] for image in self._json("GET", "/images/json") for tag in image.get("RepoTags") or ()}

    def pull(self, repository: str, tag: str, patience: float) -> bool:
        """Try to pull an image. ``patience`` bounds, in seconds, each silence of the registry. Returns whether the image is there."""
        try:
            self._call("POST", f"/images/create?{urlencode({'fromImage': repository, 'tag': tag})}", timeout=patience)
        except (OSError, http.client.HTTPException):
            return False
        return self.image(f"{repository}:{tag}") is not None

    def make_image(self, archive: bytes, repository: str, tag: str, command: str) -> str:
        """Make an image of one layer, a tar archive. Returns its id."""
        query = urlencode({"fromSrc": "-", "repo": repository, "tag": tag, "changes": f"CMD {command}"})
        self._json("POST", f"/images/create?{query}", archive, "application/x-tar")
        made = self.image(f"{repository}:{tag}")
        if made is None:
            raise Trouble("the engine took the image and does not have it")
        return made

    def remove_image(self, reference: str) -> bool:
        """Remove an image's name, and the image unless it has other names. False when a container is made of it."""
        return self._call("DELETE", f"/images/{quote(reference)}")[0] != 409

    def containers(self, label: str | None = None) -> list[dict[str, Any]]:
        """All containers, ended ones too, or those with this label."""
        filters = json.dumps({"label": [label]} if label else {})
        return list(self._json("GET", f"/containers/json?{urlencode({'all': 1, 'filters': filters})}"))

    def remove_container(self, identity: str) -> None:
        """End and remove a container; none there is success."""
        status, body = self._call("DELETE", f"/containers/{identity}?force=1&v=1", timeout=60)
        if status not in (204, 404):
            raise Trouble(f"the engine did not remove container {identity[:12]}: {_message(body)}")

    def _json(self, method: str, path: str, body: bytes | None = None, kind: str | None = None) -> Any:
        status, answer = self._call(method, path, body, kind)
        if status >= 300:
            raise Trouble(f"the engine answered {status}: {_message(answer)}")
        lines = answer.decode().splitlines()
        return json.loads(lines[-1]) if lines else None

    def _call(self, method: str, path: str, body: bytes | None = None, kind: str | None = None, timeout: float = 60) -> tuple[int, bytes]:
        connection = _UnixConnection(self.path, timeout)
        try:
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:300]
