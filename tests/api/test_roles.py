"""Every call as every kind of caller, against a table that is kept by hand (``roles.yaml``). A new call without a row fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api.edge import CALLERS, OTHER, OWN, Edge
from tests.api.test_policy import start_anew
from zun.api.routes import ROUTES, Route
from zun.interfaces.runtime import ExecResult, ProcessList, Stats

TABLE = yaml.safe_load(Path(__file__).with_name("roles.yaml").read_text(encoding="utf-8"))
PERSONAS: list[str] = TABLE["personas"]
ANSWERS = {
    "logs": b"",
    "execute": ExecResult(output=b"", exit_code=0),
    "top": ProcessList(titles=[], processes=[]),
    "stats": Stats(cpu_percent=0, memory_used=0, memory_limit=0),
    "search": [],
}
#: what stands in a path where the row says nothing else
PLACES = {"id": "web", "project": OWN, "name": "default", "container": "till", "request_id": "req-none"}


def key(route: Route) -> str:
    return f"{route.method} {route.path}"


def asked(route: Route, row: dict[str, Any]) -> str:
    path = route.path.format(**{**PLACES, **{name: value for name, value in row.items() if name in PLACES}})
    return path + (f"?{row['query']}" if "query" in row else "")


@pytest.mark.parametrize("route", ROUTES, ids=key)
def test_each_call_by_each_caller(edge: Edge, route: Route) -> None:
    row = TABLE["calls"].get(key(route))
    assert row is not None, f"roles.yaml has no row for {key(route)}"
    assert row.get("rule") == route.rule
    found = {}
    for persona in PERSONAS:
        start_anew(edge)
        edge.agent.answer = ANSWERS.get(route.path.rpartition("/")[2])
        role = None if persona == "nobody" else persona
        found[persona] = edge(route.method, asked(route, row), json=row.get("body"), role=role, at=str(route.until)).status_code
    assert found == dict(zip(PERSONAS, map(int, str(row["answers"]).split()), strict=True))


def test_the_table_has_no_row_of_a_call_that_is_gone() -> None:
    assert set(TABLE["calls"]) == {key(route) for route in ROUTES}
    assert {*PERSONAS, "nobody"} == {*CALLERS, "nobody"} and CALLERS["stranger"]["X-Project-Id"] == OTHER
