"""The API describes itself, by the same declarations that it works by."""

from __future__ import annotations

from tests.api.edge import Edge, error
from zun.api.routes import ROUTES
from zun.domain.model import MAX_VERSION


def test_anybody_may_read_the_description_of_the_newest_microversion(edge: Edge) -> None:
    answer = edge("GET", "/openapi.json", role=None)
    assert answer.status_code == 200
    assert answer.json["openapi"] == "3.1.0"
    assert answer.json["info"]["version"] == str(MAX_VERSION)


def test_every_call_of_the_newest_microversion_is_in_it(edge: Edge) -> None:
    paths = edge("GET", "/openapi.json", role=None).json["paths"]
    described = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert described == {(route.method, route.path.replace(":path", "")) for route in ROUTES if route.until == MAX_VERSION}


def test_a_microversion_that_is_asked_for_is_described_as_it_was(edge: Edge) -> None:
    old = edge("GET", "/openapi.json", role=None, at="1.13").json
    assert old["info"]["version"] == "1.13"
    assert "/v1/containers/{id}/rename" in old["paths"] and "/v1/events" not in old["paths"]
    created = old["paths"]["/v1/containers"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert "entrypoint" not in created
    assert created["command"]["type"] == ["string", "null"]
    assert "health" not in old["components"]["schemas"]["Container"]["properties"]


def test_a_microversion_that_does_not_exist_is_406(edge: Edge) -> None:
    assert error(edge("GET", "/openapi.json", role=None, at="1.99"))["status"] == 406


def test_every_operation_has_a_name_of_its_own_and_every_reference_leads_somewhere(edge: Edge) -> None:
    document = edge("GET", "/openapi.json", role=None).json
    names = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(names) == len(set(names))
    referred = set()
    pending: list[object] = [document]
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            referred |= {found["$ref"]} if isinstance(found.get("$ref"), str) else set()
            pending.extend(found.values())
        elif isinstance(found, list):
            pending.extend(found)
    assert referred == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_every_field_that_is_shown_says_since_when_where_that_matters(edge: Edge) -> None:
    members = edge("GET", "/openapi.json", role=None).json["components"]["schemas"]["Container"]["properties"]
    assert "since microversion 1.41" in members["health"]["description"]


def test_calls_that_lead_to_a_stream_say_so(edge: Edge) -> None:
    paths = edge("GET", "/openapi.json", role=None).json["paths"]
    leading = {path for path, operations in paths.items() for each in operations.values() if "307" in each["responses"]}
    assert leading == {"/v1/containers/{id}/logs", "/v1/events"}
