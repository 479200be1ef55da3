"""How often the database is asked does not depend on how much is in it: that, and no stop-watch, is what keeps calls fast."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from tests.api.edge import OWN, Edge
from zun.domain.container import Container
from zun.domain.lifecycle import Status
from zun.domain.sandbox import Sandbox

BODY = {"image": "busybox", "cpu": 0.1, "memory": "16"}


@contextmanager
def statements() -> Iterator[list[str]]:
    """What databases are asked meanwhile."""
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def asked(edge: Edge, method: str, path: str, status: int = 200, **request: Any) -> list[str]:
    with statements() as found:
        answer = edge(method, path, **request)
    assert answer.status_code == status, answer.text
    return found


def add_containers(edge: Edge, count: int) -> None:
    """Plain containers."""
    edge.add_container("web-0")
    with edge.store.write() as tx:
        for number in range(1, count):
            sandbox = tx.add(Sandbox(uuid=str(uuid.uuid4()), project_id=OWN, user_id="mia"))
            tx.add(
                Container(
                    uuid=str(uuid.uuid4()),
                    sandbox_uuid=sandbox.uuid,
                    project_id=OWN,
                    user_id="mia",
                    name=f"web-{number}",
                    image="busybox",
                    status=Status.RUNNING,
                )
            )


def add_capsules(edge: Edge, count: int) -> None:
    """Capsules of two containers."""
    for number in range(count):
        first = edge.add_container(f"pod-{number}", capsule=True)
        with edge.store.write() as tx:
            other = {"uuid": str(uuid.uuid4()), "sandbox_uuid": first.sandbox_uuid, "name": f"side-{number}"}
            tx.add(Container(**other, project_id=OWN, user_id="mia", image="busybox", position=1))


def test_a_list_of_a_thousand_is_one_question(edge: Edge) -> None:
    edge.add_container("first")
    few = asked(edge, "GET", "/v1/containers")
    add_containers(edge, 999)
    many = asked(edge, "GET", "/v1/containers")
    assert len(edge("GET", "/v1/containers").json["containers"]) == 1000
    assert many == few
    assert [statement.split()[0] for statement in many] == ["SELECT"], "a look needs no transaction"


def test_the_last_part_of_a_list_is_asked_for_as_the_second_one_is(edge: Edge) -> None:
    add_containers(edge, 60)
    parts = []
    path = "/v1/containers?limit=10"
    while path:
        parts.append(asked(edge, "GET", path))
        path = (edge("GET", path).json["next"] or "").partition("9517")[2]
    assert len(parts) == 7
    assert [statement.split()[0] for statement in parts[0]] == ["SELECT"]
    assert all(part == parts[1] for part in parts[2:])
    assert [statement.split()[0] for statement in parts[-1]] == ["BEGIN", "SELECT", "SELECT", "SELECT"]
    # From the marker on, by the index: what comes before it is not read and passed over.
    assert "containers.id > ?" in parts[-1][-1]


@pytest.mark.parametrize("way", ["uuid", "name"])
def test_a_show_is_one_question_however_many_there_are(edge: Edge, way: str) -> None:
    row = edge.add_container("only")
    path = f"/v1/containers/{getattr(row, way)}"
    alone = asked(edge, "GET", path)
    add_containers(edge, 50)
    assert asked(edge, "GET", path) == alone
    assert [statement.split()[0] for statement in alone] == ["SELECT"], "a look needs no transaction"


def test_capsules_are_listed_with_their_containers_by_two_questions(edge: Edge) -> None:
    add_capsules(edge, 1)
    few = asked(edge, "GET", "/v1/capsules", at="1.40")
    add_capsules(edge, 30)
    many = asked(edge, "GET", "/v1/capsules", at="1.40")
    assert len(edge("GET", "/v1/capsules", at="1.40").json["capsules"]) == 31
    assert [statement.split()[0] for statement in many] == [statement.split()[0] for statement in few] == ["BEGIN", "SELECT", "SELECT"]


def test_a_create_asks_as_often_in_a_full_project_as_in_an_empty_one(edge: Edge) -> None:
    asked(edge, "POST", "/v1/containers", 202, json=BODY)
    few = asked(edge, "POST", "/v1/containers", 202, json=BODY)
    add_containers(edge, 10)
    many = asked(edge, "POST", "/v1/containers", 202, json=BODY)
    assert [statement.split()[0] for statement in many] == [statement.split()[0] for statement in few]
    assert len(few) <= 14


@pytest.mark.parametrize("path", ["/v1/services", "/v1/hosts"])
def test_hosts_are_listed_by_as_many_questions_as_there_are_kinds(edge: Edge, path: str) -> None:
    few = asked(edge, "GET", path, role="admin", at="1.40")
    for number in range(20):
        edge.add_host(f"node-{number + 2}")
    assert asked(edge, "GET", path, role="admin", at="1.40") == few


def test_the_events_of_a_project_are_read_by_as_many_questions_as_ever(edge: Edge) -> None:
    asked(edge, "POST", "/v1/containers", 202, json=BODY)
    few = asked(edge, "GET", "/v1/events?since=0", at="1.41")
    for _ in range(10):
        asked(edge, "POST", "/v1/containers", 202, json=BODY)
    assert asked(edge, "GET", "/v1/events?since=0", at="1.41") == few
