"""A request that may be sent twice counts once (ADR 17)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.edge import Edge, error
from zun.domain.lifecycle import Status

C = "/v1/containers"
KEY = {"X-Idempotency-Key": "order-4711"}
BODY = {"image": "busybox", "environment": {"A": "1", "B": "2"}, "labels": {"x": "y"}}


def create(edge: Edge, body: dict[str, Any] = BODY, query: str = "", **more: Any) -> Any:
    return edge("POST", f"{C}{query}", json=body, **{"at": "1.41", "headers": KEY, **more})


def test_the_same_request_with_the_same_key_answers_the_first_result_as_it_is_now(edge: Edge) -> None:
    first = create(edge)
    assert first.status_code == 202
    (row,) = edge.rows()
    with edge.store.write() as tx:
        tx.save(type(row)(**{name: getattr(row, name) for name in row.__struct_fields__} | {"status": Status.RUNNING}))
    again = create(edge, {"labels": {"x": "y"}, "environment": {"B": "2", "A": "1"}, "image": "busybox"})
    assert (again.status_code, again.headers["location"]) == (202, first.headers["location"])
    assert (again.json["uuid"], again.json["name"], again.json["status"]) == (first.json["uuid"], first.json["name"], "Running")
    assert len(edge.rows()) == 1


def test_the_token_in_the_body_is_the_same_key(edge: Edge) -> None:
    first = create(edge, {**BODY, "client_token": "order-4711"}, headers={})
    assert create(edge).json["uuid"] == first.json["uuid"]
    assert create(edge, {**BODY, "client_token": "order-4711"}).json["uuid"] == first.json["uuid"]
    found = error(create(edge, {**BODY, "client_token": "another"}))
    assert found["status"] == 400 and "'client_token'" in found["detail"]


@pytest.mark.parametrize(
    ("body", "query", "role"),
    [
        ({**BODY, "image": "alpine"}, "", "member"),
        ({**BODY, "name": "web"}, "", "member"),
        (BODY, "?run=true", "member"),
        (BODY, "", "manager"),
    ],
    ids=["another image", "one more field", "started too", "another user"],
)
def test_another_request_with_the_same_key_is_409(edge: Edge, body: dict[str, Any], query: str, role: str) -> None:
    create(edge)
    found = error(create(edge, body, query, role=role))
    assert (found["status"], found["code"]) == (409, "container.idempotency-key-in-use")
    assert len(edge.rows()) == 1


def test_another_key_or_another_project_makes_another(edge: Edge) -> None:
    made = {
        create(edge).json["uuid"],
        create(edge, headers={"X-Idempotency-Key": "order-4712"}).json["uuid"],
        create(edge, role="stranger").json["uuid"],
        create(edge, headers={}).json["uuid"],
    }
    assert len(made) == len(edge.rows()) == 4


def test_what_was_refused_used_no_key(edge: Edge) -> None:
    assert error(create(edge, {**BODY, "disk": 5}))["status"] == 400
    assert create(edge).status_code == 202


def test_a_full_quota_does_not_refuse_what_is_there_already(edge: Edge) -> None:
    first = create(edge)
    assert edge("PUT", "/v1/quotas/" + first.json["project_id"], json={"containers": 0}, role="admin").status_code == 200
    assert create(edge).json["uuid"] == first.json["uuid"]
    assert create(edge, headers={}).status_code == 403


def test_what_was_deleted_since_is_not_made_again(edge: Edge) -> None:
    first = create(edge)
    assert edge("DELETE", f"{C}/{first.json['uuid']}?force=true", at="1.41", role="admin").status_code == 204
    assert edge.rows() == []
    found = error(create(edge))
    assert (found["status"], found["code"]) == (409, "container.idempotent-result-gone")
    assert first.json["uuid"] in found["detail"]
    assert edge.rows() == []


@pytest.mark.parametrize("key", ["", " ", "two words", "k" * 256, "schl\xfcssel"])
def test_a_key_that_is_none_is_400(edge: Edge, key: str) -> None:
    assert error(create(edge, headers={"X-Idempotency-Key": key}))["status"] == 400
    assert error(create(edge, {**BODY, "client_token": key}, headers={}))["status"] == 400
    assert edge.rows() == []


def test_below_1_41_the_header_is_ignored_and_the_token_unknown(edge: Edge) -> None:
    assert create(edge, at="1.40").json["uuid"] != create(edge, at="1.40").json["uuid"]
    found = error(create(edge, {**BODY, "client_token": "order"}, at="1.40"))
    assert found["status"] == 400 and "'client_token'" in found["detail"]


def test_capsules_too(edge: Edge) -> None:
    def capsule(image: str) -> Any:
        template = {"kind": "capsule", "metadata": {"name": "pod"}, "spec": {"containers": [{"image": image}]}}
        return edge("POST", "/v1/capsules", json={"template": template}, at="1.41", headers=KEY)

    first = capsule("busybox")
    assert first.status_code == 202, first.text
    assert capsule("busybox").json["uuid"] == first.json["uuid"]
    assert len(edge.rows()) == 1
    assert error(capsule("alpine"))["code"] == "container.idempotency-key-in-use"
    assert error(create(edge))["code"] == "container.idempotency-key-in-use"
