"""Our service on the cloud, as somebody uses it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests

from cloud.world import World

_PATIENCE = 90.0
#: Seconds between two questions. Most things take some, and each question is time of the processors' which those who work on them need.
_PAUSE = 0.2


class Zun:
    """The REST API with the token of a person."""

    def __init__(self, cloud: World, connection: Any, version: str = "1.40") -> None:
        self._url = cloud.url("container")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers = {"X-Auth-Token": connection.session.get_token(), "OpenStack-API-Version": f"container {version}"}

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """Any call."""
        return self._session.request(method, self._url + path, timeout=_PATIENCE, **more)

    def create(self, **asked: Any) -> requests.Response:
        """Ask for a container, and for its start."""
        body = {"image": "busybox", "command": ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"], "cpu": 0.1, "memory": "64"}
        return self.call("POST", "/containers?run=true", json={**body, **asked})

    def show(self, uuid: str) -> dict[str, Any]:
        """A container."""
        found: dict[str, Any] = self.call("GET", f"/containers/{uuid}").json()
        return found

    def settle(self, uuid: str, patience: float = _PATIENCE) -> dict[str, Any]:
        """A container, once nothing is under way; that may take so many seconds."""
        until = time.monotonic() + patience
        while (now := self.show(uuid))["task_state"] is not None or now["status"] in ("Creating", "Restarting"):
            assert time.monotonic() < until, now
            time.sleep(_PAUSE)
        return now

    def change(self, uuid: str, verb: str, **arguments: str) -> dict[str, Any]:
        """Have a verb done; the container afterwards."""
        answer = self.call("POST", f"/containers/{uuid}/{verb}", params=arguments)
        assert answer.status_code in (200, 202), answer.text
        path = f"/containers/{uuid}/container_actions/{answer.headers['X-Openstack-Request-Id']}"
        until = time.monotonic() + _PATIENCE
        while (action := self.call("GET", path).json())["finish_time"] is None:
            assert time.monotonic() < until
            time.sleep(_PAUSE)
        assert action["message"] is None, action
        return self.settle(uuid)

    def run(self, uuid: str, command: str) -> str:
        """What a command in a container writes."""
        answer = self.call("POST", f"/containers/{uuid}/execute", params={"command": command}).json()
        return str(answer.get("output", answer))

    def accepted(self, **asked: Any) -> str:
        """The uuid of a container that was asked for and accepted."""
        answer = self.create(**asked)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["uuid"])

    def let_go(self, uuid: str) -> None:
        """Ask for a container's deletion."""
        answer = self.call("DELETE", f"/containers/{uuid}", params={"stop": "true"})
        assert answer.status_code == 204, answer.text

    def delete(self, uuid: str) -> None:
        """Delete a container, and wait until it is gone."""
        self.call("DELETE", f"/containers/{uuid}", params={"stop": "true"})
        self.gone(uuid)

    def answers(self) -> None:
        """Wait until requests are answered, after something was away."""
        until = time.monotonic() + _PATIENCE
        while True:
            with suppress(requests.RequestException):
                if self.call("GET", "/containers").status_code == 200:
                    return
            assert time.monotonic() < until, "no request is answered"
            time.sleep(0.2)

    def gone(self, uuid: str, patience: float = _PATIENCE) -> None:
        """Wait until a container is no more; that may take so many seconds."""
        until = time.monotonic() + patience
        while self.call("GET", f"/containers/{uuid}").status_code != 404:
            assert time.monotonic() < until, self.call("GET", f"/containers/{uuid}").text
            time.sleep(_PAUSE)

    @contextmanager
    def running(self, **asked: Any) -> Iterator[dict[str, Any]]:
        """A container that runs, meanwhile."""
        answer = self.create(**asked)
        assert answer.status_code == 202, answer.text
        try:
            shown = self.settle(answer.json()["uuid"])
            assert (shown["status"], shown["status_reason"]) == ("Running", None)
            yield shown
        finally:
            self.delete(answer.json()["uuid"])


def address(container: dict[str, Any], version: int = 4) -> str:
    """Its first address of a version of IP."""
    return str(next(each["addr"] for found in container["addresses"].values() for each in found if each["version"] == version))
