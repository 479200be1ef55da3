"""Every verb in every status, over a socket to the running service, against a table that is the contract's and not the code's."""

from __future__ import annotations

import base64
import io
import shlex
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template
from typing import Any

import pytest
import requests
import websocket
import yaml

from tests.archives import tar
from tests.served import PATIENCE, Served
from tests.service.test_contract import differs
from zun.api.routes import ROUTES
from zun.domain.lifecycle import Status
from zun.drivers.runtime.fake import Program
from zun.drivers.runtime.fake_engine import Thing

TABLE = yaml.load(Path(__file__).with_name("states.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
CELLS = [(verb, status) for verb in TABLE["verbs"] for status in TABLE["statuses"]]
CAPSULE_CELLS = [(verb, status) for verb in TABLE["capsules"]["verbs"] for status in TABLE["capsules"]["statuses"]]
MEMBER_CELLS = [
    (verb, status) for verb, row in TABLE["members"].items() for status in (TABLE["statuses"] if row["in"] == "all" else row["in"])
]
WITH_WRONG_ARGUMENTS = [verb for verb, row in TABLE["verbs"].items() if "refuses" in row]
TALK = Program(writes=((1, b"talking\n"),), echoes=True)
PROGRAMS = {"talk": TALK, "greet": Program(writes=((1, b"hello\n"),), ends=0)}


class Cloud(Served):
    """A service, and a container in every status, for what changes nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, PROGRAMS)
        self._standing: dict[str, str] = {}

    def made(self, status: str) -> str:
        """A new container that can be talked with."""
        return self.container(status, command=["talk"], interactive=True, tty=True)

    def standing(self, status: str) -> str:
        """The one that nobody changes."""
        if status not in self._standing:
            self._standing[status] = self.made(status)
        elif (self.show(self._standing[status]) or {})["status"] != status:
            self.pretend(self._standing[status], status)  # a heartbeat has had a look at what was Unknown
        return self._standing[status]

    def all_of(self, uuid: str) -> tuple[dict[str, Any], Any]:
        """Everything that is shown of it, but for how long it has been so."""
        shown = self.show(uuid) or {}
        return {**shown, "status_detail": None}, self.ask("GET", f"/containers/{uuid}/container_actions").json()

    def capsule(self, status: str, containers: int = 2) -> tuple[str, list[str]]:
        """A capsule that has run, with all its containers in a status: its uuid and theirs."""
        entry = {"image": "busybox", "command": ["talk"], "resources": {"requests": {"cpu": 0.1, "memory": 16}}}
        template = {"kind": "capsule", "metadata": {"name": "shop"}, "spec": {"containers": [entry] * containers}}
        answer = self.ask("POST", "/capsules", json={"template": template})
        assert answer.status_code == 202, answer.text
        uuid, members = answer.json()["uuid"], [one["uuid"] for one in answer.json()["containers"]]
        for member in members:
            self.rests(member, "Running")
        if status != "Running":
            for member in members:
                self.pretend(member, status)
        return uuid, members

    def thing(self, uuid: str) -> Thing:
        """What the engine has of a container."""
        return next(thing for thing in self.engine.things.values() if thing.container_uuid == uuid)

    def talking(self, uuid: str) -> str:
        """A command in the container that somebody talks with."""
        made = self.ask("POST", f"/containers/{uuid}/execute?command=talk&run=false&interactive=true").json()
        self.streams.append(said(made["proxy_url"]))
        return str(made["exec_id"])

    def __enter__(self) -> Cloud:
        self.streams: list[websocket.WebSocket] = []
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.streams:
            each.close()
        self.stop()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with Cloud(tmp_path_factory.mktemp("states")) as cloud:
        yield cloud


def said(url: str) -> websocket.WebSocket:
    """The stream at an address, once it has answered."""
    client = websocket.create_connection(url, timeout=PATIENCE, subprotocols=["binary"], suppress_origin=True)
    client.send_binary(b"anybody there?\n")
    found = b""
    while b"there?" not in found:
        found += client.recv()
    return client


LETTER = base64.b64encode(tar("letter", b"dear container\n")).decode()


def filled(value: Any, places: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(each, places) for name, each in value.items()}
    return Template(value).safe_substitute(places) if isinstance(value, str) else value


def asked(cloud: Cloud, row: dict[str, Any], path: str, wrong: bool = False, **places: str) -> requests.Response:
    """The answer to the row's call; with ``wrong``, to the same call with wrong arguments."""
    method, rest = (*shlex.split(row["call"]), "")[:2]
    body = row.get("body")
    if wrong and isinstance(row["refuses"], str):
        rest = f"{rest.partition('?')[0]}?{row['refuses']}"
    elif wrong:
        body = row["refuses"]
    places = {"exec": "f" * 64, "tar": LETTER, **places}
    options = {} if body is None else {"json": filled(body, places)}
    user = {"admin": "admin", "reader": "ray"}.get(row.get("as", ""), "mia")
    return cloud.ask(method, path + filled(rest, places), user=user, at=row.get("at", "1.41"), **options)


def is_allowed(row: dict[str, Any], status: str) -> bool:
    return row["allowed"] == "all" or status in row["allowed"]


def refusal(answer: requests.Response) -> tuple[int, str, str]:
    (found,) = answer.json()["errors"]
    return answer.status_code, found["code"], found["detail"]


# -- that it is really done ----------------------------------------------------------------------------


def its_stream_answers(cloud: Cloud, uuid: str, answer: Any) -> None:
    said(answer if isinstance(answer, str) else answer["proxy_url"]).close()


def its_terminal_has_the_size(cloud: Cloud, uuid: str, answer: Any) -> None:
    assert [made.size for made in cloud.thing(uuid).execs.values()] == [(24, 80)]


def the_engine_was_asked(cloud: Cloud, uuid: str, answer: Any) -> None:
    assert ("resize", uuid) in cloud.engine.calls


def the_files_are_in_the_archive(cloud: Cloud, uuid: str, answer: Any) -> None:
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(answer["data"]))) as archive:
        file = archive.extractfile("group")
        assert file is not None and file.read() == b"root:x:0:\n"


def the_files_are_there(cloud: Cloud, uuid: str, answer: Any) -> None:
    assert cloud.thing(uuid).files["/root/letter"] == b"dear container\n"


def it_has_the_limit(cloud: Cloud, uuid: str, answer: Any) -> None:
    cloud.until(lambda: cloud.thing(uuid).cpu == 0.5)
    assert (cloud.show(uuid) or {})["cpu"] == 0.5


PROOFS: dict[str, Callable[[Cloud, str, Any], None]] = {
    "attach": its_stream_answers,
    "execute without waiting": its_stream_answers,
    "execute_resize": its_terminal_has_the_size,
    "resize": the_engine_was_asked,
    "get_archive": the_files_are_in_the_archive,
    "put_archive": the_files_are_there,
    "update": it_has_the_limit,
    "resize_container": it_has_the_limit,
}


# -- containers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "status"), CELLS)
def test_each_verb_in_each_status(cloud: Cloud, verb: str, status: str) -> None:
    row = TABLE["verbs"][verb]
    if not is_allowed(row, status):
        uuid = cloud.standing(status)
        before = cloud.all_of(uuid)
        found = refusal(asked(cloud, row, f"/containers/{uuid}"))
        assert found == (409, "container.invalid-state-exception", f"Cannot {verb.split()[0]} container {uuid} in {status} state")
        assert cloud.all_of(uuid) == before
        return
    uuid = cloud.made(status)
    answer = asked(cloud, row, f"/containers/{uuid}", exec=cloud.talking(uuid) if verb == "execute_resize" else "f" * 64)
    assert answer.status_code == row["answers"], answer.text
    if answer.status_code == 400:
        assert refusal(answer)[1] == "container.not-offered"
    if answer.status_code == 204:
        assert answer.content == b""
    if "json" in row:
        assert not list(differs(row["json"], answer.json(), verb)), answer.text
    if verb in PROOFS:
        PROOFS[verb](cloud, uuid, answer.json())
    ends_as(cloud, uuid, row["becomes"], status)
    if "at_once" in row:
        told = cloud.ask("GET", f"/events?container={uuid}&what=accepted").json()["events"]
        assert [told[-1]["action"], told[-1]["status"]] == [verb, row["at_once"]]


def ends_as(cloud: Cloud, uuid: str, becomes: Any, status: str) -> None:
    """Wait until nothing is under way, and see what it is then."""
    if becomes == "gone":
        cloud.until(lambda: cloud.show(uuid) is None)
        cloud.until(lambda: all(thing.container_uuid != uuid for thing in cloud.engine.things.values()))
        return
    expected = status if becomes == "same" else becomes[status] if isinstance(becomes, dict) else becomes
    cloud.until(lambda: all(row["finish_time"] for row in actions(cloud, uuid)))
    assert cloud.rests(uuid, expected)["status"] == expected


def actions(cloud: Cloud, uuid: str) -> list[dict[str, Any]]:
    return list(cloud.ask("GET", f"/containers/{uuid}/container_actions").json()["containerActions"])


@pytest.mark.parametrize("verb", WITH_WRONG_ARGUMENTS)
def test_arguments_are_looked_at_after_the_state(cloud: Cloud, verb: str) -> None:
    row = TABLE["verbs"][verb]
    for status in ("Running", "Paused", "Stopped", "Deleting"):
        answer = asked(cloud, row, f"/containers/{cloud.standing(status)}", wrong=True)
        assert answer.status_code == (400 if is_allowed(row, status) else 409), (status, answer.text)


@pytest.mark.parametrize("verb", [verb for verb, row in TABLE["verbs"].items() if row["allowed"] != "all"])
def test_who_may_not_is_told_nothing_of_the_state(cloud: Cloud, verb: str) -> None:
    row = TABLE["verbs"][verb]
    status = next(status for status in reversed(TABLE["statuses"]) if status not in row["allowed"])
    reading = verb in ("logs", "top", "stats")
    told = asked(cloud, {**row, "as": "reader"}, f"/containers/{cloud.standing(status)}")
    assert told.status_code == (409 if reading else 403), told.text
    assert asked(cloud, row, "/containers/00000000-0000-4000-8000-000000000000").status_code == 404


def test_a_terminal_that_is_none_is_refused_after_the_state(cloud: Cloud) -> None:
    uuid = cloud.container(command=["talk"])
    assert refusal(cloud.ask("GET", f"/containers/{uuid}/attach"))[:2] == (400, "container.not-interactive")
    cloud.pretend(uuid, "Stopped")
    assert refusal(cloud.ask("GET", f"/containers/{uuid}/attach"))[:2] == (409, "container.invalid-state-exception")


def test_force_is_asked_for_its_right_before_the_state(cloud: Cloud) -> None:
    path = f"/containers/{cloud.standing('Paused')}?force=true"
    assert refusal(cloud.ask("DELETE", path))[:2] == (403, "container.policy-not-authorized")
    assert refusal(cloud.ask("DELETE", path, user="admin"))[:2] == (409, "container.invalid-state-exception")
    assert cloud.ask("DELETE", path, user="admin", at="1.6").status_code == 400


# -- capsules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "status"), CAPSULE_CELLS)
def test_each_verb_on_a_capsule_in_each_status(cloud: Cloud, verb: str, status: str) -> None:
    row = TABLE["capsules"]["verbs"][verb]
    held = {"Creating": "ensure_container", "Deleting": "stop"}.get(status)
    if held:
        capsule, members, hang = in_between(cloud, held)
    else:
        capsule, members = cloud.capsule(status)
    try:
        assert cloud.ask("GET", f"/capsules/{capsule}").json()["status"] == status
        answer = asked(cloud, row, f"/capsules/{capsule}", second=members[1])
        if is_allowed(row, status):
            assert answer.status_code == row["answers"], answer.text
        else:
            assert answer.status_code == 409 and refusal(answer)[1] == "container.invalid-state-exception", answer.text
            assert f"in {status} state" in refusal(answer)[2]
            assert [one["uuid"] for one in cloud.ask("GET", f"/capsules/{capsule}").json()["containers"]] == members
    finally:
        if held:
            hang.release()
    if answer.status_code == 409 or verb == "show":
        return
    if verb == "delete":
        cloud.until(lambda: cloud.ask("GET", f"/capsules/{capsule}").status_code == 404)
        return
    if verb == "remove":
        cloud.until(lambda: cloud.show(members[1]) is None)
        assert [one["uuid"] for one in cloud.ask("GET", f"/capsules/{capsule}").json()["containers"]] == members[:1]
        return
    assert cloud.rests(answer.json()["uuid"], "Running")


def in_between(cloud: Cloud, held: str) -> tuple[str, list[str], Any]:
    """A capsule that is being made, or deleted, for as long as the engine does not answer."""
    if held == "stop":
        capsule, members = cloud.capsule("Running")
        hang = cloud.engine.hang(held)
        assert cloud.ask("DELETE", f"/capsules/{capsule}").status_code == 204
        return capsule, members, hang
    hang = cloud.engine.hang(held)
    entry = {"image": "busybox", "command": ["talk"], "resources": {"requests": {"cpu": 0.1, "memory": 16}}}
    template = {"kind": "capsule", "metadata": {}, "spec": {"containers": [entry] * 2}}
    made = cloud.ask("POST", "/capsules", json={"template": template}).json()
    cloud.until(lambda: cloud.engine.calls[-1][0] == held)
    return made["uuid"], [one["uuid"] for one in made["containers"]], hang


@pytest.mark.parametrize(("verb", "status"), MEMBER_CELLS)
def test_each_verb_on_one_container_of_a_capsule_by_its_status(cloud: Cloud, verb: str, status: str) -> None:
    row = TABLE["members"][verb]
    capsule, members = cloud.capsule("Running")
    if status != "Running":
        cloud.pretend(members[1], status)
    answer = asked(cloud, row, "", capsule=capsule, member=members[1])
    assert answer.status_code == row["answers"], answer.text
    if "code" in row:
        assert refusal(answer)[1] == row["code"]
        assert (cloud.show(members[1]) or {})["status"] == status
    else:
        cloud.until(lambda: cloud.show(members[1]) is None)
        last = cloud.ask("DELETE", f"/capsules/{capsule}/containers/{members[0]}")
        assert refusal(last)[:2] == (409, "container.last-of-capsule")
    assert (cloud.show(members[0]) or {})["status"] == "Running"


# -- the table -----------------------------------------------------------------------------------------


def test_the_table_has_every_status_and_every_verb_of_a_container() -> None:
    assert TABLE["statuses"] == [status.value for status in Status]
    rows = set()
    for row in TABLE["verbs"].values():
        method, rest = (*shlex.split(row["call"]), "")[:2]
        rows.add((method, "/v1/containers/{id}" + rest.partition("?")[0]))
    served = {(route.method, route.path) for route in ROUTES if route.path.startswith("/v1/containers/{id}")}
    assert served - {("GET", "/v1/containers/{id}/container_actions/{request_id}")} == rows
