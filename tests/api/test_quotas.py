"""What projects may have (REST contract, section 15)."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.edge import OTHER, OWN, Edge, error

MINE = f"/v1/quotas/{OWN}"
DEFAULT = "/v1/quota_classes/default"
CONFIGURED = {"containers": 40, "cpu": 20, "memory": 51_200, "disk": 100}


def test_a_project_has_what_is_configured_until_it_is_given_limits(edge: Edge) -> None:
    for path in (MINE, f"{MINE}/", f"{MINE}/defaults", f"{MINE}?usages="):
        answer = edge("GET", path, role="reader", at="1.1")
        assert (answer.status_code, answer.json) == (200, CONFIGURED)
        assert all(type(limit) is int for limit in answer.json.values())


def test_its_own_limits_go_before_those_of_the_class_and_those_before_the_configuration(edge: Edge) -> None:
    assert edge("PUT", DEFAULT, json={"cpu": 8, "memory": 1000}, role="admin").json == {**CONFIGURED, "cpu": 8, "memory": 1000}
    answer = edge("PUT", MINE, json={"cpu": 9}, role="admin")
    assert (answer.status_code, answer.json) == (200, {**CONFIGURED, "cpu": 9, "memory": 1000})
    assert edge("GET", MINE).json == {**CONFIGURED, "cpu": 9, "memory": 1000}
    assert edge("GET", f"{MINE}/defaults").json == {**CONFIGURED, "cpu": 8, "memory": 1000}
    assert edge("GET", f"/v1/quotas/{OTHER}", role="stranger").json == {**CONFIGURED, "cpu": 8, "memory": 1000}


def test_back_to_the_defaults(edge: Edge) -> None:
    edge("PUT", MINE, json={"cpu": 9, "disk": -1}, role="admin")
    for _ in range(2):
        answer = edge("DELETE", MINE, role="admin")
        assert (answer.status_code, answer.json) == (200, None)
        assert edge("GET", MINE).json == CONFIGURED


@pytest.mark.parametrize("form", ["query", "body"])
@pytest.mark.parametrize("path", [MINE, DEFAULT])
def test_limits_are_numbers_or_their_digits_in_query_or_body(edge: Edge, path: str, form: str) -> None:
    if form == "query":
        answer = edge("PUT", f"{path}?containers=10&cpu=-1&memory=0", role="admin")
    else:
        answer = edge("PUT", path, json={"containers": "10", "cpu": -1, "memory": "0"}, role="admin")
    assert answer.json == {"containers": 10, "cpu": -1, "memory": 0, "disk": 100}
    assert edge("PUT", f"{path}?containers=11", json={"cpu": "-1"}, role="admin").json["containers"] == 11
    assert edge("GET", path, role="admin").json == {"containers": 11, "cpu": -1, "memory": 0, "disk": 100}


@pytest.mark.parametrize("value", [-2, "-2", "--1", "", " 1", "1.5", 1.5, "ten", True, None, [], {}, 2**31, "9" * 18, "1\n"])
@pytest.mark.parametrize("path", [MINE, DEFAULT])
def test_what_is_no_limit_is_refused_by_name(edge: Edge, path: str, value: Any) -> None:
    found = error(edge("PUT", path, json={"cpu": 5, "memory": value}, role="admin"))
    assert found["status"] == 400
    assert "'memory'" in found["detail"]
    assert edge("GET", path, role="admin").json == CONFIGURED


@pytest.mark.parametrize("path", [MINE, DEFAULT])
def test_a_resource_that_is_none_is_refused_by_name(edge: Edge, path: str) -> None:
    for found in (error(edge("PUT", path, json={"gpu": 1}, role="admin")), error(edge("PUT", f"{path}?gpu=1", role="admin"))):
        assert found["status"] == 400
        assert "'gpu'" in found["detail"]


@pytest.mark.parametrize("name", ["a b", "a%20", "%00", "x" * 256, "a%0A"])
def test_a_name_that_nobody_can_have_is_refused(edge: Edge, name: str) -> None:
    for path in (f"/v1/quotas/{name}", f"/v1/quota_classes/{name}"):
        for method in ("GET", "PUT"):
            assert error(edge(method, path, role="admin"))["status"] == 400


def test_usage_is_what_the_projects_containers_take_whatever_their_status(edge: Edge) -> None:
    edge.add_container("one", cpu=0.5, memory=100)
    edge.add_container("two", cpu=1.0, memory=28, disk=3)
    edge.add_container("three", project_id=OTHER)
    edge("PUT", MINE, json={"cpu": -1}, role="admin")
    expected = {
        "containers": {"limit": 40, "in_use": 2},
        "cpu": {"limit": -1, "in_use": 1.5},
        "memory": {"limit": 51_200, "in_use": 128},
        "disk": {"limit": 100, "in_use": 3},
    }
    for word in ("True", "true", "false", "x"):
        assert edge("GET", f"{MINE}?usages={word}").json == expected


def test_the_quota_of_another_project_is_forbidden_and_not_hidden(edge: Edge) -> None:
    for path in (f"/v1/quotas/{OTHER}", f"/v1/quotas/{OTHER}/defaults", "/v1/quotas/nobody"):
        assert error(edge("GET", path))["code"] == "container.policy-not-authorized"
        assert edge("GET", path, role="admin").status_code == 200


def test_a_class_that_nobody_has_heard_of_has_the_configured_limits(edge: Edge) -> None:
    edge("PUT", DEFAULT, json={"cpu": 1}, role="admin")
    assert edge("GET", "/v1/quota_classes/gold", role="admin").json == CONFIGURED
    edge("PUT", "/v1/quota_classes/gold", json={"cpu": 99}, role="admin")
    assert edge("GET", "/v1/quota_classes/gold", role="admin").json == {**CONFIGURED, "cpu": 99}
    assert edge("GET", MINE).json == {**CONFIGURED, "cpu": 1}


def test_there_is_no_list_of_quotas(edge: Edge) -> None:
    assert edge("GET", "/v1/quotas", role="admin").status_code == 404


def test_creating_and_updating_are_held_to_the_projects_own_limits(edge: Edge) -> None:
    edge("PUT", MINE, json={"containers": 1, "memory": 100}, role="admin")
    refused = error(edge("POST", "/v1/containers", json={"image": "busybox", "memory": 101}))
    assert (refused["status"], refused["code"]) == (403, "container.over-quota")
    row = edge.add_container("web", memory=64)
    refused = error(edge("PATCH", f"/v1/containers/{row.uuid}", json={"memory": 128}))
    assert (refused["status"], refused["code"]) == (403, "container.over-quota")
    assert error(edge("POST", "/v1/containers", json={"image": "busybox", "memory": 4}))["code"] == "container.over-quota"
    edge("DELETE", MINE, role="admin")
    assert edge("PATCH", f"/v1/containers/{row.uuid}", json={"memory": 128}).status_code == 200
    assert edge("POST", "/v1/containers", json={"image": "busybox"}).status_code == 202


def test_two_hundred_parallel_creates_against_a_quota_of_ten_end_with_ten(edge: Edge) -> None:
    edge("PUT", MINE, json={"containers": 10, "memory": -1, "cpu": -1}, role="admin")
    with ThreadPoolExecutor(50) as pool:
        answers = pool.map(lambda _: edge("POST", "/v1/containers", json={"image": "busybox"}).status_code, range(200))
        assert Counter(answers) == {202: 10, 403: 190}
    assert len(edge.rows()) == 10
    assert edge("GET", f"{MINE}?usages=1").json["containers"] == {"limit": 10, "in_use": 10}
