"""The events of a project as they happen: server-sent events, from a live service."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import requests

from tests.engines import Dockerd
from tests.service.aio import PATIENCE, Aio, eventually

PROJECTS = {"mia": "a" * 32, "sue": "b" * 32}
STREAM = {"Accept": "text/event-stream", "OpenStack-API-Version": "container 1.41"}
PAGE = {"OpenStack-API-Version": "container 1.41"}


@pytest.fixture(scope="module")
def cloud(engine: Dockerd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aio]:
    """A service with users of two projects."""
    people = {"admin": "f" * 32, **PROJECTS}
    users = "".join(f"users = {name}:{project}:{'admin' if name == 'admin' else 'member'}\n" for name, project in people.items())
    aio = Aio(tmp_path_factory.mktemp("events"), engine, f"[basic_auth]\n{users}")
    try:
        aio.start()
        with (aio.state / "htpasswd").open("a") as file:
            file.writelines(f"{name}:{bcrypt.hashpw(name.encode(), bcrypt.gensalt(4)).decode()}\n" for name in PROJECTS)
        yield aio
    finally:
        aio.clean()


class Watcher:
    """A client: it reads frames, and knows the cursor to go on from."""

    def __init__(self, aio: Aio, query: str = "", *, user: str = "admin", last: int | None = None) -> None:
        credentials = (user, aio.password if user == "admin" else user)
        headers = STREAM | ({} if last is None else {"Last-Event-ID": str(last)})
        self.answer = requests.get(f"{aio.url}/v1/events{query}", headers=headers, auth=credentials, stream=True, timeout=PATIENCE)
        assert self.answer.status_code == 200, self.answer.text
        assert self.answer.headers["Content-Type"] == "text/event-stream"
        self.cursor: int | None = None
        self._lines = self.answer.iter_lines(chunk_size=1)

    def frame(self) -> dict[str, str]:
        """The next frame."""
        found: dict[str, str] = {}
        for raw in self._lines:
            line = raw.decode()
            if not line:
                break
            name, _, value = line.partition(": ")
            found[name] = value
        else:
            raise ConnectionError("the stream has ended")
        if "id" in found:
            self.cursor = int(found["id"])
        return found

    def begun(self) -> Watcher:
        """Once it is told where the stream begins."""
        while self.cursor is None:
            self.frame()
        return self

    def event(self) -> dict[str, Any]:
        """The next event."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            frame = self.frame()
            if "event" in frame:
                return {**json.loads(frame["data"]), "event": frame["event"], "id": int(frame["id"])}
        pytest.fail("nothing has happened")

    def until(self, **wanted: Any) -> list[dict[str, Any]]:
        """The events up to one like this."""
        found = [self.event()]
        while any(found[-1].get(name) != value for name, value in wanted.items()):
            found.append(self.event())
        return found


def page(aio: Aio, query: str = "", user: str = "admin") -> list[dict[str, Any]]:
    credentials = (user, aio.password if user == "admin" else user)
    return list(requests.get(f"{aio.url}/v1/events{query}", headers=PAGE, auth=credentials, timeout=PATIENCE).json()["events"])


def run(aio: Aio, *command: str, user: str = "mia") -> str:
    body = {"image": "busybox", "command": list(command), "cpu": 0.1, "memory": 32}
    url = f"{aio.url}/v1/containers?run=true"
    answer = requests.post(url, json=body, headers={"OpenStack-API-Version": "container 1.40"}, auth=(user, user), timeout=PATIENCE)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["uuid"])


def by_mia(aio: Aio, method: str, path: str, body: dict[str, Any] | None = None) -> requests.Response:
    headers = {"OpenStack-API-Version": "container 1.40"}
    return requests.request(method, f"{aio.url}/v1{path}", json=body, headers=headers, auth=("mia", "mia"), timeout=PATIENCE)


def test_a_container_s_life_is_told_in_order_as_the_pages_tell_it(cloud: Aio) -> None:
    watcher = Watcher(cloud, user="mia").begun()
    before = watcher.cursor
    uuid = run(cloud, "sh", "-c", "exit 3")
    told = watcher.until(resource_uuid=uuid, status="Stopped")
    assert [event["event"] for event in told[:2]] == ["created", "accepted"]
    assert told[-1]["exit_code"] == 3
    plain = [{name: value for name, value in event.items() if name not in ("event", "id")} for event in told]
    assert plain == page(cloud, f"?since={before}", user="mia")[: len(told)]
    assert [event["id"] for event in told] == [event["cursor"] for event in told] == list(range(before + 1, before + 1 + len(told)))


def test_the_end_of_what_was_asked_for_is_told_with_its_request(cloud: Aio) -> None:
    watcher = Watcher(cloud, "?what=started,finished,failed&action=create", user="mia").begun()
    for image, ends in (("busybox", "finished"), ("127.0.0.1:1/nowhere", "failed")):
        asked = by_mia(cloud, "POST", "/containers", {"image": image, "cpu": 0.1, "memory": 32})
        told = [watcher.event(), watcher.event()]
        assert [(event["event"], event["action"]) for event in told] == [("started", "create"), (ends, "create")]
        assert {event["request_id"] for event in told} == {asked.headers["X-Openstack-Request-Id"]}
        assert (told[1]["reason"] is None) == (ends == "finished")


def test_a_capsule_is_told_as_a_whole(cloud: Aio) -> None:
    watcher = Watcher(cloud, "?kind=capsule", user="mia").begun()
    entry = {"image": "busybox", "command": ["sleep", "1000"], "resources": {"requests": {"cpu": 0.1, "memory": 32}}}
    template = {"kind": "capsule", "metadata": {"name": "whole"}, "spec": {"containers": [entry, entry]}}
    uuid = by_mia(cloud, "POST", "/capsules", {"template": template}).json()["uuid"]
    told = watcher.until(what="finished")
    assert [event["event"] for event in told] == ["created", "accepted", "started", "status", "finished"]
    assert {(event["resource_uuid"], event["name"]) for event in told} == {(uuid, "whole")}
    assert (told[3]["old_status"], told[3]["status"]) == ("Creating", "Running")
    by_mia(cloud, "DELETE", f"/capsules/{uuid}")
    assert [event["event"] for event in watcher.until(what="deleted")] == ["status", "accepted", "started", "finished", "deleted"]


def test_an_image_is_told_to_who_may_list_it(cloud: Aio) -> None:
    watcher, member = Watcher(cloud, "?kind=image").begun(), Watcher(cloud, user="mia").begun()
    host = cloud.get("/hosts").json()["hosts"][0]["hostname"]
    uuid = cloud.post("/images", json={"repo": "127.0.0.1:1/nowhere:1", "host": host}).json()["uuid"]
    told = watcher.until(what="failed")
    assert [event["event"] for event in told] == ["created", "accepted", "started", "status", "failed"]
    assert (told[-1]["name"], told[-1]["status"], told[-1]["sandbox_uuid"]) == ("127.0.0.1:1/nowhere:1", "Error", None)
    cloud.delete(f"/images/{uuid}")
    watcher.until(what="deleted", resource_uuid=uuid)
    own = run(cloud, "true")
    assert {event["kind"] for event in member.until(resource_uuid=own, status="Stopped")} == {"container"}


def test_filters_hold_together(cloud: Aio) -> None:
    watcher = Watcher(cloud, "?what=status&status=Stopped", user="mia").begun()
    uuid = run(cloud, "true")
    first = watcher.event()
    assert (first["resource_uuid"], first["status"]) == (uuid, "Stopped")


def test_another_project_s_events_are_never_told(cloud: Aio) -> None:
    watcher = Watcher(cloud, user="sue").begun()
    other = run(cloud, "true", user="mia")
    eventually(lambda: [event for event in page(cloud, f"?container={other}", user="mia") if event["status"] == "Stopped"])
    own = run(cloud, "true", user="sue")
    assert {event["resource_uuid"] for event in watcher.until(status="Stopped")} == {own}


def test_who_comes_again_goes_on_and_the_header_wins(cloud: Aio) -> None:
    first = Watcher(cloud, user="mia").begun()
    told = [*first.until(resource_uuid=run(cloud, "true"), status="Stopped")]
    middle = told[1]["id"]
    first.answer.close()
    again = Watcher(cloud, "?since=0", user="mia", last=middle)
    assert [again.event() for _ in told[2:]] == told[2:]


def test_a_cursor_that_is_gone_is_reset_and_the_stream_goes_on(cloud: Aio) -> None:
    watcher = Watcher(cloud, user="mia", last=999_999_999)
    frame: dict[str, str] = {}
    while "event" not in frame:
        frame = watcher.frame()
    assert frame["event"] == "reset"
    assert json.loads(frame["data"]) == {"cursor": int(frame["id"])}
    uuid = run(cloud, "true")
    told = watcher.until(resource_uuid=uuid, status="Stopped")
    assert told[0]["id"] == int(frame["id"]) + 1


@pytest.mark.parametrize("last", ["-1", "yesterday", "9" * 19])
def test_a_cursor_that_is_none_is_refused_by_name(cloud: Aio, last: str) -> None:
    answer = requests.get(f"{cloud.url}/v1/events", headers=STREAM | {"Last-Event-ID": last}, auth=("mia", "mia"), timeout=PATIENCE)
    assert (answer.status_code, "Last-Event-ID" in answer.text) == (400, True)


def test_a_ticket_is_good_for_one_stream_of_its_kind(cloud: Aio) -> None:
    answer = requests.get(f"{cloud.url}/v1/events", headers=STREAM, auth=("mia", "mia"), allow_redirects=False, timeout=PATIENCE)
    assert answer.status_code == 307
    where = answer.headers["Location"]
    with requests.get(where, stream=True, timeout=PATIENCE) as opened:
        assert opened.status_code == 200
    assert requests.get(where, timeout=PATIENCE).status_code == 401
    assert requests.get(where.partition("=")[0] + "=", timeout=PATIENCE).status_code == 401


@pytest.mark.parametrize("path", ["/containers", "/events/", "/services"])
def test_no_other_call_has_such_a_form(cloud: Aio, path: str) -> None:
    answer = requests.get(f"{cloud.url}/v1{path}", headers=STREAM, auth=("mia", "mia"), allow_redirects=False, timeout=PATIENCE)
    assert answer.status_code in ((307, 404) if path == "/events/" else (406,))


def threads(aio: Aio) -> int:
    assert aio._process is not None
    return len(list(Path(f"/proc/{aio._process.pid}/task").iterdir()))


def test_idle_streams_hold_no_thread_and_all_are_told(cloud: Aio) -> None:
    watchers = [Watcher(cloud, user="mia").begun() for _ in range(20)]
    few = threads(cloud)
    watchers += [Watcher(cloud, user="mia").begun() for _ in range(180)]
    assert threads(cloud) <= few + 10
    uuid = run(cloud, "true")
    for watcher in watchers:
        assert watcher.until(resource_uuid=uuid)
        watcher.answer.close()


def test_nothing_is_missed_or_doubled_over_a_kill(own_service: Aio) -> None:
    aio = own_service
    watcher = Watcher(aio).begun()
    start = watcher.cursor
    uuid = aio.create("sh", "-c", "sleep 4; exit 3")
    told = watcher.until(resource_uuid=uuid, status="Running")
    aio.kill()
    with pytest.raises((ConnectionError, requests.RequestException)):
        while True:
            watcher.frame()
    time.sleep(4)  # it ends while nobody looks
    aio.start()
    again = Watcher(aio, last=told[-1]["id"])
    told += again.until(resource_uuid=uuid, status="Stopped")
    later = aio.create("true")
    told += again.until(resource_uuid=later, status="Stopped")
    assert [event["cursor"] for event in told] == list(range(start + 1, told[-1]["cursor"] + 1))
    assert [event["cursor"] for event in page(aio, f"?since={start}")][: len(told)] == [event["cursor"] for event in told]


def test_a_stream_ends_with_the_service(own_service: Aio) -> None:
    watcher = Watcher(own_service).begun()
    assert own_service.stop() == 0
    with pytest.raises((ConnectionError, requests.RequestException)):
        while True:
            watcher.frame()
