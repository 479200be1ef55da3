"""Every verb in every status over HTTP, against a table that is the contract's and not the code's (states.md, section 2)."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api.edge import Edge, error
from zun.api.routes import ROUTES
from zun.domain.lifecycle import Status
from zun.interfaces.runtime import ExecResult, ProcessList, Stats

TABLE = yaml.safe_load(Path(__file__).with_name("states.yaml").read_text(encoding="utf-8"))
ANSWERS = {
    "logs": b"",
    "execute": ExecResult(output=b"", exit_code=0),
    "top": ProcessList(titles=[], processes=[]),
    "stats": Stats(cpu_percent=0, memory_used=0, memory_limit=0),
}
CELLS = [(verb, status) for verb in TABLE["verbs"] for status in TABLE["statuses"]]


def taken_apart(row: dict[str, Any]) -> tuple[str, str]:
    """Method, and what follows the container in the path."""
    method, rest = (*shlex.split(row["call"]), "")[:2]
    return method, rest.replace("$exec", "f" * 64)


def is_served(row: dict[str, Any]) -> bool:
    method, rest = taken_apart(row)
    path = "/v1/containers/{id}" + rest.partition("?")[0]
    return any((route.method, route.path) == (method, path) for route in ROUTES)


@pytest.mark.parametrize(("verb", "status"), CELLS)
def test_each_verb_in_each_status(edge: Edge, verb: str, status: str) -> None:
    row = TABLE["verbs"][verb]
    if not is_served(row):
        pytest.skip(f"{verb} is not served yet")
    edge.agent.answer = ANSWERS.get(verb)
    made = edge.add_container(status=Status(status), interactive=True, tty=True)
    method, rest = taken_apart(row)
    answer = edge(method, f"/v1/containers/{made.uuid}{rest}", at=row["at"], json=row.get("body"), role=row.get("as", "member"))
    if row["allowed"] == "all" or status in row["allowed"]:
        # Where the table names no status, what the host is asked for is another test's: here it only must have been asked.
        assert answer.status_code == row["answers"] if "answers" in row else answer.status_code not in (403, 404, 405, 406, 409)
    else:
        found = error(answer)
        assert (found["status"], found["code"]) == (409, "container.invalid-state-exception")
        assert found["detail"] == f"Cannot {verb.split()[0]} container {made.uuid} in {status} state"
        (left,) = edge.rows()
        assert left.status is Status(status)


def test_the_table_has_every_status_and_every_verb_of_a_container() -> None:
    assert TABLE["statuses"] == [status.value for status in Status]
    rows = {(method, "/v1/containers/{id}" + rest.partition("?")[0]) for method, rest in map(taken_apart, TABLE["verbs"].values())}
    served = {(route.method, route.path) for route in ROUTES if route.path.startswith("/v1/containers/{id}") and route.since.minor < 41}
    assert served - {("GET", "/v1/containers/{id}/container_actions/{request_id}")} <= rows
