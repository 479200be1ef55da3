"""The API describes itself, by the same declarations that it works by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

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


@pytest.mark.parametrize("version", ["1.1", "1.12", "1.20", "1.31", "1.32", str(MAX_VERSION)])
def test_the_description_is_openapi_3_1_at_every_microversion(edge: Edge, version: str) -> None:
    document = edge("GET", "/openapi.json", role=None, at=version).json
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def operations(edge: Edge) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, found in edge("GET", "/openapi.json", role=None).json["paths"].items():
        for method, operation in found.items():
            yield f"{method.upper()} {path}", operation


def test_every_call_says_what_it_is_for_since_when_and_who_may_make_it(edge: Edge) -> None:
    for name, operation in operations(edge):
        assert operation["summary"].endswith("."), name
        assert operation["description"].startswith("Since microversion 1."), name
        assert "Policy rule `" in operation["description"] or "Anybody may call it." in operation["description"], name
        assert all(answer["description"] for answer in operation["responses"].values()), name


def test_every_parameter_and_every_member_has_a_sentence(edge: Edge) -> None:
    for name, operation in operations(edge):
        for parameter in operation["parameters"]:
            assert parameter["description"], f"{name} {parameter['name']}"
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            for place, schema in objects(part.get("content", {}).get("application/json", {}).get("schema", {})):
                for member, each in schema.get("properties", {}).items():
                    assert said(each), f"{name} {place}.{member}"


def said(schema: dict[str, Any]) -> bool:
    """Whether it is described, here or where it leads."""
    return "description" in schema or "$ref" in schema or "allOf" in schema or ("items" in schema and said(schema["items"]))


def test_every_member_of_what_is_shown_has_a_sentence(edge: Edge) -> None:
    for name, component in edge("GET", "/openapi.json", role=None).json["components"]["schemas"].items():
        if name in ("Pod", "Errors"):
            continue
        for place, schema in objects(component, name):
            for member, each in schema.get("properties", {}).items():
                assert said(each), f"{place}.{member}"


def test_no_answer_is_an_object_of_which_nothing_is_said(edge: Edge) -> None:
    for name, operation in operations(edge):
        for status, answer in operation["responses"].items():
            for place, schema in objects(answer.get("content", {}).get("application/json", {}).get("schema", {})):
                assert schema.get("properties") or isinstance(schema.get("additionalProperties"), dict), f"{name} {status} {place}"


def objects(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in a schema."""
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        yield place, schema
    for name, each in schema.get("properties", {}).items():
        yield from objects(each, f"{place}.{name}")
    yield from objects(schema.get("items"), f"{place}[]")
    for several in ("anyOf", "allOf", "oneOf"):
        for each in schema.get(several, ()):
            yield from objects(each, place)


def test_what_a_capsule_may_have_is_described(edge: Edge) -> None:
    newest = edge("GET", "/openapi.json", role=None).json
    template = newest["paths"]["/v1/capsules"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]["template"]
    assert [each.get("$ref", each.get("type")) for each in template["anyOf"]] == [
        "#/components/schemas/CapsuleTemplate",
        "#/components/schemas/Pod",
        "string",
    ]
    spec = newest["components"]["schemas"]["CapsuleTemplate"]["properties"]["spec"]
    assert "since microversion 1.41" in spec["properties"]["hostname"]["description"]
    older = edge("GET", "/openapi.json", role=None, at="1.40").json["components"]["schemas"]["CapsuleTemplate"]["properties"]["spec"]
    assert "hostname" not in older["properties"] and older["required"] == ["containers"]


def test_what_an_answer_was_is_described_as_it_was(edge: Edge) -> None:
    old, new = (edge("GET", "/openapi.json", role=None, at=at).json["components"]["schemas"] for at in ("1.31", "1.32"))
    assert "meta_name" in old["Capsule"]["properties"] and "name" not in old["Capsule"]["properties"]
    assert "name" in new["Capsule"]["properties"] and "ready" not in new["Capsule"]["properties"]
    assert "AddressOnNetwork" in edge("GET", "/openapi.json", role=None, at="1.17").json["components"]["schemas"]


def test_calls_that_make_something_answer_where_it_is(edge: Edge) -> None:
    makes = {
        name
        for name, operation in operations(edge)
        for answer in operation["responses"].values()
        if "Location" in answer.get("headers", {})
    }
    assert makes >= {"POST /v1/containers", "POST /v1/capsules", "POST /v1/images", "POST /v1/registries"}
