"""What happened, over the API: cursors, filters, who may ask."""

from __future__ import annotations

import uuid

import pytest

from tests.api.edge import OTHER, OWN, Edge
from zun.domain.event import Event, Kind, What
from zun.domain.lifecycle import Status
from zun.interfaces.store import UpTo

E = "/v1/events"
WEB, SHOP = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def tell(edge: Edge, *names: str, project: str = OWN, **given: object) -> None:
    facts = {"kind": Kind.CONTAINER, "what": What.STATUS, "resource_uuid": str(uuid.uuid4()), "sandbox_uuid": str(uuid.uuid4())} | given
    with edge.store.write() as tx:
        for name in names:
            tx.tell(Event(uuid="", project_id=project, name=name, **facts))


def ask(edge: Edge, query: str = "", **options: object) -> tuple[list[str], int, bool]:
    answer = edge("GET", E + query, at="1.41", **options)
    assert answer.status_code == 200, answer.text
    return [event["name"] for event in answer.json["events"]], answer.json["cursor"], answer.json["more"]


def test_a_creation_is_told_with_its_request(edge: Edge) -> None:
    made = edge("POST", "/v1/containers", json={"image": "busybox", "name": "web"}, at="1.41")
    told = edge("GET", E, at="1.41").json["events"]
    assert [event["what"] for event in told] == ["created", "accepted"]
    assert told[1] == {
        "cursor": 2,
        "time": told[0]["time"],
        "kind": "container",
        "what": "accepted",
        "resource_uuid": made.json["uuid"],
        "sandbox_uuid": told[0]["sandbox_uuid"],
        "name": "web",
        "action": "create",
        "status": "Creating",
        "old_status": None,
        "task_state": None,
        "reason": None,
        "exit_code": None,
        "health": None,
        "ready": None,
        "restart_count": 0,
        "request_id": made.headers["X-Openstack-Request-Id"],
    }


def test_a_cursor_goes_on_where_the_last_answer_ended(edge: Edge) -> None:
    assert ask(edge) == ([], 0, False)
    tell(edge, "a", "b", "c")
    assert ask(edge, "?limit=2") == (["a", "b"], 2, True)
    assert ask(edge, "?limit=2&since=2") == (["c"], 3, False)
    assert ask(edge, "?since=3") == ([], 3, False)
    tell(edge, "d")
    assert ask(edge, "?since=3") == (["d"], 4, False)
    assert ask(edge, "?since=0") == (["a", "b", "c", "d"], 4, False)


def test_filters_hold_together_and_the_cursor_passes_what_they_leave_out(edge: Edge) -> None:
    tell(edge, "web", resource_uuid=WEB, what=What.CREATED)
    tell(edge, "web", resource_uuid=WEB, status=Status.RUNNING)
    tell(edge, "shop", sandbox_uuid=SHOP, status=Status.STOPPED)
    assert ask(edge, f"?container={WEB}") == (["web", "web"], 3, False)
    assert ask(edge, f"?container={WEB}&what=status") == (["web"], 3, False)
    assert ask(edge, f"?capsule={SHOP}&kind=container") == (["shop"], 3, False)
    assert ask(edge, "?status=Running,Stopped") == (["web", "shop"], 3, False)
    assert ask(edge, f"?container={WEB},{SHOP}&what=deleted") == ([], 3, False)


def test_verbs_requests_and_images_can_be_asked_for(edge: Edge) -> None:
    tell(edge, "web", what=What.FINISHED, action="create", request_id="req-1")
    tell(edge, "web", what=What.FAILED, action="stop", request_id="req-2")
    tell(edge, "busybox:1", kind=Kind.IMAGE, resource_uuid=WEB, sandbox_uuid="", what=What.FINISHED, action="pull", status="Available")
    assert ask(edge, "?action=stop,pull", role="admin") == (["web", "busybox:1"], 3, False)
    assert ask(edge, "?request_id=req-2&what=finished,failed") == (["web"], 3, False)
    assert ask(edge, f"?image={WEB}&status=Available", role="admin") == (["busybox:1"], 3, False)
    assert ask(edge, f"?image={WEB}&container={SHOP}", role="admin") == ([], 3, False)
    shown = edge("GET", f"{E}?kind=image", at="1.41", role="admin").json["events"][0]
    assert (shown["sandbox_uuid"], shown["resource_uuid"], shown["status"]) == (None, WEB, "Available")


def test_who_may_not_list_images_does_not_hear_of_them(edge: Edge) -> None:
    tell(edge, "busybox:1", kind=Kind.IMAGE, sandbox_uuid="")
    tell(edge, "web")
    for role in ("member", "reader"):
        assert ask(edge, role=role) == (["web"], 2, False)
        assert ask(edge, "?kind=image", role=role) == ([], 2, False)
        assert ask(edge, "?kind=image,container", role=role) == (["web"], 2, False)
    assert ask(edge, role="admin") == (["busybox:1", "web"], 2, False)


@pytest.mark.parametrize(
    "query",
    [
        "image=busybox",
        "action=Start",
        "action=a b",
        "request_id=",
        "since=-1",
        "since=x",
        "limit=0",
        "container=web",
        "kind=host",
        "what=",
        "status=running",
        "colour=red",
    ],
)
def test_what_is_asked_wrongly_is_named(edge: Edge, query: str) -> None:
    answer = edge("GET", f"{E}?{query}", at="1.41")
    assert answer.status_code == 400
    assert f"'{query.partition('=')[0]}'" in answer.text


def test_a_cursor_of_which_something_is_lost_is_gone(edge: Edge) -> None:
    tell(edge, "a", "b", "c")
    with edge.store.write() as tx:
        tx.clear(Event, {"project_id": OWN, "cursor": UpTo(2)})
    for lost in (0, 1, 4):
        answer = edge("GET", f"{E}?since={lost}", at="1.41")
        assert answer.status_code == 410
        assert answer.json["errors"][0]["code"] == "container.events-gone"
        assert "Go on from 3" in answer.text
    assert ask(edge, "?since=2") == (["c"], 3, False)
    assert ask(edge) == (["c"], 3, False)


@pytest.mark.parametrize("role", ["reader", "member", "manager", "admin"])
def test_who_reads_a_project_hears_of_it(edge: Edge, role: str) -> None:
    tell(edge, "a")
    assert ask(edge, role=role) == (["a"], 1, False)


def test_nobody_hears_of_another_project(edge: Edge) -> None:
    tell(edge, "a")
    tell(edge, "theirs", project=OTHER)
    assert ask(edge, role="stranger") == (["theirs"], 1, False)
    assert ask(edge, role="admin") == (["a"], 1, False)
    assert edge("GET", E, at="1.41", role="roleless").status_code == 403
    assert edge("GET", E, at="1.41", role="projectless").status_code == 403


def test_there_are_no_events_below_1_41(edge: Edge) -> None:
    assert edge("GET", E, at="1.40").status_code == 406
