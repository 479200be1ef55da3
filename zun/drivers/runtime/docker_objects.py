"""Docker's containers that are ours: found by label, made once, removed surely."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from zun import errors
from zun.drivers.runtime import labels
from zun.drivers.runtime.docker_http import Answer, DockerHttp

Json = dict[str, Any]

#: how long a name may be taken by a thing that cannot be seen yet, or is just going (seconds)
_PATIENCE = 5.0
_PAUSE = 0.02
_GOING = ("removing", "dead")


class Objects:
    """The things of one deployment in one engine."""

    def __init__(self, http: DockerHttp, deployment: str) -> None:
        self._http = http
        self.deployment = labels.checked(deployment)

    def filter(self, **more: str) -> dict[str, list[str]]:
        """Docker's filter for things of this deployment; ``more`` are further labels of ours by their short names."""
        wanted = [f"{labels.DEPLOYMENT}={self.deployment}"]
        return {"label": wanted + [f"{labels.PREFIX}{name}={value}" for name, value in more.items()]}

    def listed(self, **more: str) -> list[Json]:
        """Lines of ``GET /containers/json``, whatever their state."""
        filters = msgspec.json.encode(self.filter(**more)).decode()
        found: list[Json] = yes(self._http.call("GET", "/containers/json", query={"all": 1, "filters": filters})).data
        return found

    def sandbox(self, uuid: str) -> Json | None:
        """The line of a sandbox's own container."""
        return next((line for line in self.listed(sandbox=uuid) if labels.CONTAINER not in line["Labels"]), None)

    def revisions(self, uuid: str) -> list[tuple[int, Json]]:
        """The lines of a container's revisions, the newest first."""
        found = [(mark.revision, line) for line in self.listed(container=uuid) if (mark := labels.read(line["Labels"]))]
        return sorted(found, key=lambda pair: pair[0], reverse=True)

    def newest(self, uuid: str) -> str:
        """The engine's id of a container's newest revision. Raises NoSuchObject."""
        found = self.revisions(uuid)
        if not found:
            raise missing(uuid)
        return str(found[0][1]["Id"])

    def inspected(self, engine_id: str) -> Json | None:
        """``GET /containers/<id>/json``, or None."""
        answer = self._http.call("GET", f"/containers/{engine_id}/json")
        if answer.status == 404:
            return None
        found: Json = yes(answer).data
        return found

    def create(self, name: str, body: Json, existing: Callable[[], Json | None]) -> tuple[str, bool]:
        """Make a container, or find the one that an earlier call has made. Returns its id and whether it is new.

        Raises EngineError, also when the name belongs to something that is not ours; NoSuchImage when the image is not there.
        """
        until = time.monotonic() + _PATIENCE
        while True:
            answer = self._http.call("POST", "/containers/create", query={"name": name}, body=body)
            if answer.status == 404:
                raise NoSuchImage(answer.message)
            if answer.status != 409:
                return str(yes(answer).data["Id"]), True
            found = existing()
            if found is not None and found["State"] not in _GOING:
                return str(found["Id"]), False
            if found is not None:
                self.remove(found["Id"])
            elif time.monotonic() > until:
                raise errors.EngineError(reason=answer.message)
            else:
                time.sleep(_PAUSE)  # somebody is just making it

    def remove(self, engine_id: str) -> None:
        """Remove a container, running or not, with its anonymous volumes, and wait until it is gone."""
        until = time.monotonic() + self._http.timeout
        while True:
            answer = self._http.call("DELETE", f"/containers/{engine_id}", query={"force": 1, "v": 1})
            if answer.ok or answer.status == 404:
                return
            # 409: its removal is under way already, by somebody else.
            if answer.status != 409 or time.monotonic() > until:
                raise errors.EngineError(reason=answer.message)
            time.sleep(_PAUSE)


class NoSuchImage(Exception):
    """Docker lacks the image that a container shall be made of."""


def yes(answer: Answer) -> Answer:
    """The answer, if it is no refusal. Raises EngineError."""
    if not answer.ok:
        raise errors.EngineError(reason=answer.message)
    return answer


def missing(uuid: str) -> errors.NoSuchObject:
    """The error for a container that Docker does not have."""
    return errors.NoSuchObject(id=uuid, engine="docker")
