"""The people of the contract's tests, of a service that runs embedded: passwords say who they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import requests

from tests.engines import Dockerd
from tests.service.aio import PATIENCE, Aio, eventually

OWN, OTHER = "a" * 32, "b" * 32
#: user, project, role; ``pit`` can say who he is and nothing else
USERS = (("admin", OWN, "admin"), ("mia", OWN, "member"), ("ray", OWN, "reader"), ("rob", OWN, "janitor"), ("sue", OTHER, "member"))
PASSWORD = "of no worth"
#: Those of the users who make things, one in each project.
MAKERS = ("mia", "sue")


class Embedded(Aio):
    """A service of these users."""

    #: where rows of the contract are played
    place = "embedded"

    def __init__(self, folder: Path, engine: Dockerd, settings: str = "") -> None:
        users = "".join(f"users = {name}:{project}:{role}\n" for name, project, role in USERS)
        super().__init__(folder, engine, f"{settings}[basic_auth]\n{users}")

    def start(self, *, engine_away: bool = False) -> None:
        """See Aio; afterwards the users have their passwords."""
        super().start(engine_away=engine_away)
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        with (self.state / "htpasswd").open("a") as file:
            file.writelines(f"{name}:{hashed}\n" for name in ("mia", "ray", "rob", "sue", "pit"))

    def words(self) -> dict[str, str]:
        """What $words of the contract stand for from the beginning."""
        return {"url": self.url, "own": OWN, "other": OTHER, "mia": "mia", "network": "bridge"}

    def ask(self, user: str, method: str, path: str, headers: dict[str, str], **options: Any) -> requests.Response:
        """A request by one of the users, or by ``nobody``."""
        known = None if user == "nobody" else (user, self.password if user == "admin" else PASSWORD)
        return requests.request(method, self.url + path, auth=known, headers=headers, timeout=PATIENCE, **options)


def with_users(engine: Dockerd, folder: Path, settings: str = "") -> Iterator[Embedded]:
    """A service of these users, with further ``settings`` of the group ``compute``."""
    aio = Embedded(folder, engine, settings)
    try:
        aio.start()
        yield aio
    finally:
        aio.clean()


def empty(service: Any) -> None:
    """Delete every capsule and every container of the users."""

    def call(user: str, method: str, path: str) -> Any:
        answer = service.ask(user, method, f"/v1{path}", {"OpenStack-API-Version": "container 1.40"})
        return answer.json() if answer.content else answer.status_code

    left = []
    for user in MAKERS:
        for capsule in call(user, "GET", "/capsules")["capsules"]:
            left.append(f"/capsules/{capsule['uuid']}")
            call(user, "DELETE", left[-1])
        for container in call(user, "GET", "/containers")["containers"]:
            left.append(f"/containers/{container['uuid']}")
            if container["status"] == "Paused":
                call(user, "POST", f"{left[-1]}/unpause")
                eventually(lambda path=left[-1]: call("admin", "GET", path)["status"] == "Running", f"{left[-1]} is thawed")
            call("admin", "DELETE", f"{left[-1]}?force=true")
    for path in left:
        eventually(lambda path=path: "errors" in call("admin", "GET", path), f"{path} is gone")
