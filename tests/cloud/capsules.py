"""Capsules on the cloud, as somebody uses them: each has two containers, one port, and one volume of Cinder's if that is wanted."""

from __future__ import annotations

import time
from typing import Any

from tests.cloud.containers import Zun

_PATIENCE = 90.0
_PAUSE = 0.2
SLEEP = ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"]


class Capsules:
    """Asks for them, and for their end, as :class:`Zun` does for containers."""

    def __init__(self, zun: Zun) -> None:
        self._zun = zun

    def accepted(self, *, volume: bool = False, port: int | None = None) -> str:
        """The uuid of one that was asked for and accepted: with a volume that is made for it and goes with it, and a port that is open to
        everybody, if that is wanted."""
        entry: dict[str, Any] = {"image": "busybox", "command": SLEEP, "resources": {"requests": {"cpu": 0.1, "memory": 64}}}
        spec: dict[str, Any] = {}
        if volume:
            entry["volumeMounts"] = [{"name": "shared", "mountPath": "/data"}]
            spec["volumes"] = [{"name": "shared", "cinder": {"size": 1, "autoRemove": True}}]
        ports = {} if port is None else {"ports": [{"containerPort": port}]}
        template = {"kind": "capsule", "metadata": {}, "spec": {**spec, "containers": [{**entry, **ports}, entry]}}
        answer = self._zun.call("POST", "/capsules", json={"template": template})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["uuid"])

    def show(self, uuid: str) -> dict[str, Any]:
        """A capsule."""
        found: dict[str, Any] = self._zun.call("GET", f"/capsules/{uuid}").json()
        return found

    def settle(self, uuid: str, patience: float = _PATIENCE) -> dict[str, Any]:
        """A capsule, once nothing is under way in any of its containers; that may take so many seconds."""
        until = time.monotonic() + patience
        while (now := self.show(uuid))["status"] in ("Creating", "Restarting") or any(each["task_state"] for each in now["containers"]):
            assert time.monotonic() < until, now
            time.sleep(_PAUSE)
        return now

    def let_go(self, uuid: str) -> None:
        """Ask for a capsule's deletion."""
        answer = self._zun.call("DELETE", f"/capsules/{uuid}")
        assert answer.status_code == 204, answer.text

    def gone(self, uuid: str, patience: float = _PATIENCE) -> None:
        """Wait until a capsule is no more; that may take so many seconds."""
        until = time.monotonic() + patience
        while self._zun.call("GET", f"/capsules/{uuid}").status_code != 404:
            assert time.monotonic() < until, self.show(uuid)
            time.sleep(_PAUSE)
