"""Actions, hosts, services, availability zones (REST contract, sections 8 and 11 to 13)."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.api.edge import HOST, NOW, OWN, Edge, error
from zun.domain.action import Action, ActionState, StepEvent
from zun.domain.container import Container
from zun.domain.lifecycle import Status

EVENT = StepEvent(event="pull", start_time=NOW, finish_time=NOW + timedelta(seconds=1), result="Error", traceback="Traceback: line 1")


def act(edge: Edge, row: Container, verb: str, request: str) -> None:
    with edge.store.write() as tx:
        tx.add(
            Action(
                uuid=str(uuid.uuid4()),
                action=verb,
                sandbox_uuid=row.sandbox_uuid,
                container_uuid=row.uuid,
                request_id=request,
                project_id=OWN,
                user_id="mia",
                state=ActionState.DONE,
                finish_time=NOW,
                message="Error",
                events=[EVENT],
            )
        )


def test_actions_are_listed_the_newest_first(edge: Edge) -> None:
    row = edge.add_container()
    act(edge, row, "create", "req-1"), act(edge, row, "stop", "req-2")
    actions = edge("GET", "/v1/containers/web/container_actions").json["containerActions"]
    assert [each["action"] for each in actions] == ["stop", "create"]
    assert {name: each for name, each in actions[0].items() if name != "start_time"} == {
        "action": "stop",
        "container_uuid": row.uuid,
        "request_id": "req-2",
        "user_id": "mia",
        "project_id": OWN,
        "finish_time": "2024-05-01T12:30:00.000001",
        "message": "Error",
    }
    assert datetime.strptime(actions[0]["start_time"], "%Y-%m-%dT%H:%M:%S.%f")


def test_an_action_tells_its_events_and_only_administrators_see_tracebacks(edge: Edge) -> None:
    act(edge, edge.add_container(), "create", "req-1")
    shown = edge("GET", "/v1/containers/web/container_actions/req-1").json
    event = {
        "event": "pull",
        "start_time": "2024-05-01T12:30:00.000001",
        "finish_time": "2024-05-01T12:30:01.000001",
        "result": "Error",
        "traceback": None,
    }
    assert shown["events"] == [event]
    seen = edge("GET", "/v1/containers/web/container_actions/req-1", role="admin").json
    assert seen["events"] == [{**event, "traceback": "Traceback: line 1"}]


def test_an_action_of_another_container_is_not_found(edge: Edge) -> None:
    act(edge, edge.add_container("one"), "create", "req-1")
    edge.add_container("two")
    found = error(edge("GET", "/v1/containers/two/container_actions/req-1"))
    assert (found["status"], found["code"]) == (404, "container.action-not-found")


def test_hosts_show_what_they_have_and_what_is_taken(edge: Edge) -> None:
    edge.add_container(cpu=0.5, memory=256)
    edge.add_container(cpu=1.0, memory=512)
    (shown,) = edge("GET", "/v1/hosts", role="admin", at="1.4").json["hosts"]
    assert set(shown) == set(
        "uuid links hostname mem_total mem_used total_containers cpus cpu_used architecture os_type os kernel_version labels disk_total"
        " disk_used disk_quota_supported runtimes enable_cpu_pinning".split()
    )
    assert [shown[name] for name in ("hostname", "mem_total", "mem_used", "cpus", "cpu_used", "disk_used")] == [HOST, 8192, 768, 4, 1.5, 0]
    for id in (HOST, shown["uuid"]):
        assert edge("GET", f"/v1/hosts/{id}?anything=1", role="admin", at="1.40").json == shown


def test_ten_tenths_of_a_core_are_one(edge: Edge) -> None:
    for _ in range(10):
        edge.add_container(cpu=0.1)
    assert edge("GET", f"/v1/hosts/{HOST}", role="admin", at="1.4").json["cpu_used"] == 1.0


def test_a_host_that_is_none_is_404(edge: Edge) -> None:
    for id in ("nowhere", "a b", "%00", "x" * 300):
        assert error(edge("GET", f"/v1/hosts/{id}", role="admin", at="1.4"))["code"] == "container.host-not-found"


def test_hosts_come_in_pages_by_name(edge: Edge) -> None:
    edge.add_host("alpha")
    first = edge("GET", "/v1/hosts?limit=1", role="admin", at="1.4").json
    assert [each["hostname"] for each in first["hosts"]] == ["alpha"]
    assert "sort_key=hostname" in first["next"]
    second = edge("GET", first["next"].removeprefix("http://cloud.example:9517"), role="admin", at="1.4").json
    assert [each["hostname"] for each in second["hosts"]] == [HOST]


def test_services_show_whether_they_are_up(edge: Edge) -> None:
    edge.add_host("silent", seen=NOW - timedelta(seconds=181))
    answer = edge("GET", "/v1/services/?unknown=1", role="admin")
    assert list(answer.json) == ["services"]
    services = {each["host"]: each for each in answer.json["services"]}
    assert {host: each["state"] for host, each in services.items()} == {HOST: "up", "silent": "down"}
    shown = services[HOST]
    assert set(shown) == set(
        "id host binary availability_zone disabled disabled_reason forced_down last_seen_up report_count state created_at"
        " updated_at".split()
    )
    assert (shown["id"], shown["binary"], shown["last_seen_up"]) == (1, "zun-compute", "2024-05-01T12:30:00.000001")


SERVICE = {"host": HOST, "binary": "zun-compute"}
QUERY = f"host={HOST}&binary=zun-compute"


def service(edge: Edge, host: str = HOST) -> dict[str, Any]:
    return next(each for each in edge("GET", "/v1/services", role="admin").json["services"] if each["host"] == host)


@pytest.mark.parametrize("form", ["query", "body", "both"])
def test_a_service_is_disabled_and_enabled_by_query_or_body(edge: Edge, form: str) -> None:
    def put(name: str, **more: str) -> Any:
        query = "&".join(f"{key}={each}" for key, each in (SERVICE if form == "both" else {**SERVICE, **more}).items())
        if form == "body":
            return edge("PUT", f"/v1/services/{name}", json={**SERVICE, **more}, role="admin")
        return edge("PUT", f"/v1/services/{name}?{query}", json=more if form == "both" else None, role="admin")

    answer = put("disable", disabled_reason="new-disk")
    assert (answer.status_code, answer.json) == (200, {"service": {**SERVICE, "disabled": True, "disabled_reason": "new-disk"}})
    assert (service(edge)["disabled"], service(edge)["disabled_reason"], service(edge)["state"]) == (True, "new-disk", "up")
    answer = put("enable")
    assert (answer.status_code, answer.json) == (200, {"service": {**SERVICE, "disabled": False, "disabled_reason": None}})
    assert service(edge)["disabled"] is False


def test_a_service_is_disabled_without_a_reason_too(edge: Edge) -> None:
    assert edge("PUT", f"/v1/services/disable?{QUERY}", role="admin").json["service"]["disabled_reason"] is None


def test_a_service_that_is_forced_down_is_down_at_once(edge: Edge) -> None:
    for word, state in (("True", "down"), ("False", "up")):
        answer = edge("PUT", f"/v1/services/force_down?{QUERY}&forced_down={word}", role="admin")
        assert (answer.status_code, answer.json) == (200, {"service": {**SERVICE, "forced_down": word == "True"}})
        assert (service(edge)["forced_down"], service(edge)["state"]) == (word == "True", state)


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("PUT", "/v1/services/enable?host=node-1", "binary"),
        ("PUT", "/v1/services/enable?binary=zun-compute", "host"),
        ("PUT", "/v1/services/disable", "host"),
        ("PUT", f"/v1/services/disable?{QUERY}&disabled_reason=", "disabled_reason"),
        ("PUT", f"/v1/services/disable?{QUERY}&disabled_reason={'x' * 256}", "disabled_reason"),
        ("PUT", f"/v1/services/force_down?{QUERY}", "forced_down"),
        ("PUT", f"/v1/services/force_down?{QUERY}&forced_down=yes", "forced_down"),
        ("DELETE", "/v1/services", "host"),
        ("DELETE", "/v1/services?host=node-1", "binary"),
    ],
)
def test_what_is_missing_or_wrong_is_named(edge: Edge, method: str, path: str, field: str) -> None:
    found = error(edge(method, path, role="admin"))
    assert found["status"] == 400
    assert f"'{field}'" in found["detail"]


@pytest.mark.parametrize("call", ["PUT enable", "PUT disable", "PUT force_down", "DELETE "])
@pytest.mark.parametrize("query", ["host=nowhere&binary=zun-compute", f"host={HOST}&binary=zun-fly"])
def test_a_service_that_is_none_is_404(edge: Edge, call: str, query: str) -> None:
    method, name = call.split(" ")
    found = error(edge(method, f"/v1/services/{name}?{query}&forced_down=true", role="admin"))
    assert (found["status"], found["code"]) == (404, "container.service-not-found")


NEW = "1.41"
DRAIN_MEMBERS = {"drain_state", "drain_deadline", "drain_left"}


def test_a_drain_is_answered_with_what_is_left_to_do(edge: Edge) -> None:
    edge.add_container("one"), edge.add_container("two", status=Status.STOPPED)
    answer = edge("PUT", f"/v1/services/drain?{QUERY}&timeout=30&disabled_reason=new-disk", role="admin", at=NEW)
    told = {
        **SERVICE,
        "disabled": True,
        "disabled_reason": "new-disk",
        "drain_state": "draining",
        "drain_deadline": "2024-05-01T12:30:30.000001",
        "drain_left": 1,
    }
    assert (answer.status_code, answer.json) == (202, {"service": told})
    (shown,) = edge("GET", "/v1/services", role="admin", at=NEW).json["services"]
    assert {name: shown[name] for name in told} == told
    (older,) = edge("GET", "/v1/services", role="admin", at="1.40").json["services"]
    assert set(shown) - set(older) == DRAIN_MEMBERS


def test_ten_minutes_unless_it_is_said(edge: Edge) -> None:
    answer = edge("PUT", "/v1/services/drain", json=SERVICE, role="admin", at=NEW)
    assert answer.json["service"]["drain_deadline"] == "2024-05-01T12:40:00.000001"
    assert answer.json["service"]["drain_state"] == "drained", "there is nothing to stop"


def test_an_enabled_host_is_not_drained_any_more(edge: Edge) -> None:
    edge("PUT", f"/v1/services/drain?{QUERY}", role="admin", at=NEW)
    answer = edge("PUT", f"/v1/services/enable?{QUERY}", role="admin", at="1.40")
    assert answer.json == {"service": {**SERVICE, "disabled": False, "disabled_reason": None}}
    (shown,) = edge("GET", "/v1/services", role="admin", at=NEW).json["services"]
    assert {shown[name] for name in DRAIN_MEMBERS} == {None, 0}


@pytest.mark.parametrize(("at", "state"), [("1.40", None), (NEW, "restarting")])
def test_only_from_1_41_on_an_enable_starts_anything(edge: Edge, at: str, state: str | None) -> None:
    edge("PUT", f"/v1/services/drain?{QUERY}", role="admin", at=NEW)
    assert edge("PUT", f"/v1/services/enable?{QUERY}&restart=true", role="admin", at=at).status_code == 200
    (shown,) = edge("GET", "/v1/services", role="admin", at=NEW).json["services"]
    assert shown["drain_state"] == state


def test_before_1_41_there_is_no_drain(edge: Edge) -> None:
    assert edge("PUT", f"/v1/services/drain?{QUERY}", role="admin", at="1.40").status_code == 406
    assert service(edge)["disabled"] is False


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ("host=node-1", 400, "'binary'"),
        ("binary=zun-compute", 400, "'host'"),
        (f"{QUERY}&timeout=-1", 400, "'timeout'"),
        (f"{QUERY}&timeout=86401", 400, "'timeout'"),
        (f"{QUERY}&timeout=soon", 400, "'timeout'"),
        (f"{QUERY}&disabled_reason={'x' * 256}", 400, "'disabled_reason'"),
        ("host=nowhere&binary=zun-compute", 404, "nowhere"),
    ],
)
def test_a_drain_that_cannot_be_changes_nothing(edge: Edge, query: str, status: int, word: str) -> None:
    found = error(edge("PUT", f"/v1/services/drain?{query}", role="admin", at=NEW))
    assert (found["status"], word in found["detail"]) == (status, True)
    assert service(edge)["disabled"] is False


def test_a_container_says_whether_a_drain_has_stopped_it(edge: Edge) -> None:
    edge.add_container("one"), edge.add_container("two", status=Status.STOPPED, drained=str(uuid.uuid4()))
    assert [edge("GET", f"/v1/containers/{name}", at=NEW).json["drained"] for name in ("one", "two")] == [False, True]
    assert "drained" not in edge("GET", "/v1/containers/two", at="1.40").json


def test_a_service_is_deleted_with_its_host(edge: Edge) -> None:
    answer = edge("DELETE", f"/v1/services?{QUERY}", role="admin")
    assert (answer.status_code, answer.json) == (200, None)
    assert edge("GET", "/v1/services", role="admin").json == {"services": []}
    assert edge("GET", "/v1/hosts", role="admin", at="1.40").json["hosts"] == []


def test_a_host_with_containers_is_not_deleted(edge: Edge) -> None:
    edge.add_container("one"), edge.add_container("two", status=Status.STOPPED)
    found = error(edge("DELETE", f"/v1/services?{QUERY}", role="admin"))
    assert (found["status"], found["code"]) == (409, "container.host-in-use")
    assert "2 container(s)" in found["detail"]
    assert service(edge)["state"] == "up"


def test_zones_are_those_of_the_services_each_once(edge: Edge) -> None:
    edge.add_host("two"), edge.add_host("three", zone="attic")
    zones = edge("GET", "/v1/availability_zones").json
    assert zones == {"availability_zones": [{"availability_zone": "attic"}, {"availability_zone": "nova"}], "next": None}


def test_a_page_as_long_as_the_zones_is_no_error(edge: Edge) -> None:
    edge.add_host("three", zone="attic")
    first = edge("GET", "/v1/availability_zones?limit=1").json
    assert first["availability_zones"] == [{"availability_zone": "attic"}]
    second = edge("GET", first["next"].removeprefix("http://cloud.example:9517")).json
    assert second["availability_zones"] == [{"availability_zone": "nova"}]
    assert edge("GET", "/v1/availability_zones?limit=2").status_code == 200
    assert edge("GET", "/v1/availability_zones?marker=moon").status_code == 404
    assert edge("GET", "/v1/availability_zones?sort_key=host").status_code == 400
