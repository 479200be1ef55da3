"""Docker's containers that are ours: found by label, made once, removed surely."""

from __future__ import annotations

import logging
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import msgspec

from zun import errors
from zun.drivers.runtime import docker_keepers, labels
from zun.drivers.runtime.docker_answer import Answer
from zun.drivers.runtime.docker_http import DockerHttp

LOG = logging.getLogger(__name__)

Json = dict[str, Any]

#: how long a name may be taken by a thing that cannot be seen yet, or is just going (seconds)
_PATIENCE = 5.0
_PAUSE = 0.02
_GOING = ("removing", "dead")
_LIVELY = ("running", "paused", "restarting")

#: the end of the name of an object that another one is to follow, of the same revision
LEFT = "-left"


class Objects:
    """The things of one deployment in one engine."""

    def __init__(self, http: DockerHttp, deployment: str) -> None:
        self._http = http
        self.deployment = labels.checked(deployment)

    def filter(self, **more: str) -> dict[str, list[str]]:
        """Docker's filter for things of this deployment; ``more`` are further labels of ours by their short names."""
        wanted = [f"{labels.DEPLOYMENT}={self.deployment}"]
        return {"label": wanted + [f"{labels.PREFIX}{name}={value}" for name, value in more.items()]}

    def owns(self, marks: dict[str, str] | None, sandbox_uuid: str) -> bool:
        """Whether these are the labels of a sandbox of this deployment."""
        mark = labels.read(marks)
        ours = (marks or {}).get(labels.DEPLOYMENT) == self.deployment
        return ours and mark is not None and (mark.sandbox, mark.container) == (sandbox_uuid, None)

    def listed(self, **more: str) -> list[Json]:
        """Lines of ``GET /containers/json``, whatever their state."""
        filters = msgspec.json.encode(self.filter(**more)).decode()
        found: list[Json] | None = yes(self._http.call("GET", "/containers/json", query={"all": 1, "filters": filters})).data
        return found or []

    def sandbox(self, uuid: str) -> Json | None:
        """The line of a sandbox's own container."""
        return sandbox(self.listed(sandbox=uuid))

    def revisions(self, uuid: str) -> list[tuple[int, Json]]:
        """The lines of a container's revisions, the newest first; an object that was to be followed by another comes after that."""
        return revisions(self.listed(container=uuid), uuid)

    def newest(self, uuid: str, revision: int | None = None) -> str:
        """The engine's id of a container's newest revision, or of the one that is asked for. Raises NoSuchObject."""
        found = [pair for pair in self.revisions(uuid) if revision in (None, pair[0])]
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

    def create(self, name: str, body: Json, known: Json | None, existing: Callable[[], Json | None]) -> tuple[str, bool]:
        """Make a container, or find the one that an earlier call has made. Returns its id and whether it is new.

        ``known`` is what a look just before has shown of it, by its labels: its name may have been changed. The name then keeps two
        makers from making it twice; ``existing`` looks again after that.
        Raises EngineError, also when the name belongs to something that is not ours; NoSuchImage when the image is not there.
        """
        until, found = time.monotonic() + _PATIENCE, known
        while True:
            if found is None or found["State"] in _GOING:
                if found is not None:
                    self.remove(found)
                answer = self._http.call("POST", "/containers/create", query={"name": name}, body=body)
                if answer.status == 404:
                    raise NoSuchImage(answer.message)
                if answer.status != 409:
                    return str(yes(answer).data["Id"]), True
                refusal = answer.message
            elif self.inspected(found["Id"]) is not None:
                return str(found["Id"]), False
            else:
                refusal = f"{name} is shown, but not there"  # somebody is just making it, or it is just going
            if time.monotonic() > until:
                raise errors.EngineError(reason=refusal)
            time.sleep(_PAUSE)
            found = existing()

    def remove(self, line: Json, *, volumes: bool = True) -> None:
        """Remove a container, running or not, with its anonymous ``volumes`` and what was kept for it; wait until it is gone.

        A keeper of it that Docker has forgotten goes, too: Docker ends those of containers that it says run.
        """
        until = time.monotonic() + self._http.timeout
        while True:
            answer = self._http.call("DELETE", f"/containers/{line['Id']}", query={"force": 1, "v": int(volumes)})
            if answer.ok or answer.status == 404:
                if line.get("State") not in _LIVELY:
                    self._end_keepers(line["Id"])
                return self._remove_kept(line["Labels"])
            # 409: its removal is under way already, by somebody else.
            if answer.status != 409 or time.monotonic() > until:
                raise errors.EngineError(reason=answer.message)
            time.sleep(_PAUSE)

    def _end_keepers(self, engine_id: str) -> None:
        try:
            docker_keepers.end(engine_id, lambda: True)
        except errors.EngineError as error:
            LOG.warning("container %s is removed, but not all of it: %s", engine_id, error)

    def _remove_kept(self, marks: dict[str, str]) -> None:
        """What is still in use (by an object that follows) stays, and goes with that."""
        image, _, volumes = marks.get(labels.KEPT, "").partition(",")
        if not image:
            return
        for volume in filter(None, volumes.split(",")):
            self._http.call("DELETE", f"/volumes/{urllib.parse.quote(volume, safe='')}")
        filters = msgspec.json.encode(self.filter(container=marks[labels.CONTAINER])).decode()
        for found in yes(self._http.call("GET", "/images/json", query={"filters": filters})).data or ():
            self._http.call("DELETE", f"/images/{found['Id']}")


def sandbox(lines: list[Json]) -> Json | None:
    """Of the lines of one sandbox, its own container's."""
    return next((line for line in lines if labels.CONTAINER not in line["Labels"]), None)


def revisions(lines: list[Json], uuid: str) -> list[tuple[int, Json]]:
    """Of some lines those of a container, as :meth:`Objects.revisions` shows them."""
    found = [(mark.revision, line) for line in lines if (mark := labels.read(line["Labels"])) and mark.container == uuid]
    return sorted(found, key=lambda pair: (pair[0], not left(pair[1])), reverse=True)


def of_revision(found: list[tuple[int, Json]], revision: int) -> Json | None:
    """The line of one revision."""
    return next((line for number, line in found if number == revision), None)


class NoSuchImage(Exception):
    """Docker lacks the image that a container shall be made of."""


def named(shown: str, name: str) -> bool:
    """Whether the name that Docker shows, with a slash before it, is this one."""
    return shown == f"/{name}"


def left(line: Json) -> bool:
    """Whether another object is to follow this one."""
    return any(name.endswith(LEFT) for name in line.get("Names") or ())


def yes(answer: Answer) -> Answer:
    """The answer, if it is no refusal. Raises EngineError."""
    if not answer.ok:
        raise errors.EngineError(reason=answer.message)
    return answer


def missing(uuid: str) -> errors.NoSuchObject:
    """The error for a container that Docker does not have."""
    return errors.NoSuchObject(id=uuid, engine="docker")
