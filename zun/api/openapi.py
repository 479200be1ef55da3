"""The OpenAPI 3.1 description of the API, read from the table of routes and the declarations of the domain."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zun.api.answers import REFERENCE, Schemas
from zun.api.arguments import CreateCapsule, Events
from zun.api.derive import Form, Forms, Slot
from zun.api.grammar import Object
from zun.api.pod_fields import POD
from zun.api.routes import Route, Who
from zun.api.templates import TEMPLATE, Entry
from zun.domain import kinds
from zun.domain.model import MAX_VERSION, MIN_VERSION, Bounds, Json, Version

DESCRIPTION = (
    "Application containers as a resource of an OpenStack cloud. Every request may name a microversion in the header"
    " `OpenStack-API-Version: container X.Y`; without it, {first} is used. This describes microversion {version}."
)

#: why an answer has a status that is no success
REASONS = {
    400: "what was sent is not as it must be; the answer names the field and the rule",
    401: "nobody, or somebody who is not who he says",
    403: "the policy does not allow it, or a quota is exhausted",
    404: "there is no such thing in the caller's project",
    406: "no such microversion, the call does not exist at the microversion, or the client does not take JSON",
    409: "the state of the thing does not allow it, or its name is not unique",
    410: "what was asked for is not kept any more",
    413: "the body is too large",
    415: "the body is not application/json",
    431: "the address and the headers are too large together",
    503: "something that the service stands on does not answer just now; try again",
}

_PARAMETER = re.compile("{([a-z_]+)(?::[a-z]+)?}")
#: what a part of a path says
_NAMED = {
    "request_id": "the request that the action came of",
    "project": "the project's id",
    "name": "the class's name",
    "container": "uuid or name of the container",
}

#: what may be in a capsule's template
GRAMMARS: Mapping[str, Object] = {"CapsuleTemplate": TEMPLATE, "Pod": POD}

_WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")


def document(routes: Sequence[Route], forms: Forms, version: Version = MAX_VERSION) -> Json:
    """The description of every call that exists at a microversion."""
    schemas = Schemas(version)
    paths: dict[str, Json] = {}
    for route in routes:
        if route.since <= version <= route.until:
            path = _PARAMETER.sub(r"{\1}", route.path)
            form = forms.get(route.options, route.entity, route.purpose, version)
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, form, schemas, forms.bounds)
    templates = {name: grammar.schema(forms.bounds, version) for name, grammar in GRAMMARS.items()}
    components: Json = {
        "schemas": {**schemas.components, **templates, "Errors": _errors()},
        "securitySchemes": {
            "keystone": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
            "basic": {"type": "http", "scheme": "basic"},
        },
    }
    info = {"title": "Zun", "version": str(version), "description": DESCRIPTION.format(first=MIN_VERSION, version=version)}
    return {
        "openapi": "3.1.0",
        "info": {**info, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "paths": paths,
        "components": components,
        "security": [{"keystone": []}, {"basic": []}],
    }


def statuses(route: Route) -> list[int]:
    """The statuses that are no success and that a client must expect of a call."""
    found = {400, 406, 431}
    if route.who is not Who.ANYBODY:
        found |= {401, 403, 503}
    if "{" in route.path or "marker" in route.options.__struct_fields__ or route.method in _WITH_BODY:
        found.add(404)
    if route.finds is not None or route.method in _WITH_BODY:
        found.add(409)
    if route.options is Events:
        found.add(410)
    if route.method in _WITH_BODY:
        found |= {413, 415}
    return sorted(found)


def _operation(route: Route, form: Form, schemas: Schemas, bounds: Bounds) -> Json:
    shown: Json = {"description": "done" if route.status != 202 else "accepted; the work is done later", "headers": _answer_headers(route)}
    if route.status != 204:
        shown["content"] = {"application/json": {"schema": schemas.of(route.shows)}}
    refusals = {
        str(status): {
            "description": REASONS[status],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Errors"}}},
        }
        for status in statuses(route)
    }
    if route.streams is not None:
        address = {"Location": {"schema": {"type": "string"}, "description": "at the stream proxy, good for one time"}}
        refusals["307"] = {"description": route.streams, "headers": address}
    operation: Json = {
        "operationId": _identity(route),
        "summary": route.doc,
        "tags": [route.path.split("/")[2] if route.path.startswith("/v1/") else "discovery"],
        "parameters": [*_path_parameters(route), _VERSION, *_more_headers(route, form), *_query_parameters(route, form, bounds)],
        "responses": {str(route.status): shown, **refusals},
        "description": _about(route),
    }
    body = _body(route, form, bounds)
    if body is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": body}}, "required": bool(body["required"])}
    if route.who is Who.ANYBODY:
        operation["security"] = []
    return operation


def _about(route: Route) -> str:
    """Since when there is the call, who may make it, what it has beside its answer."""
    until = f" Up to microversion {route.until}." if route.until < MAX_VERSION else ""
    rule = f" Policy rule `{route.rule}`, by default: {route.who.value}." if route.rule else " Anybody may call it."
    streams = f" {route.streams}" if route.streams else ""
    return f"Since microversion {route.since}.{until}{rule}{streams}"


def _answer_headers(route: Route) -> Json:
    headers: Json = {
        "X-Openstack-Request-Id": {"schema": {"type": "string"}, "description": "the request's id, which its action and its events have"},
        "OpenStack-API-Version": {"schema": {"type": "string"}, "description": "the microversion of the answer"},
    }
    if route.makes:
        headers["Location"] = {"schema": {"type": "string"}, "description": "the address of what is made"}
    return headers


def _more_headers(route: Route, form: Form) -> Iterator[Json]:
    """The headers that a call takes besides the microversion."""
    if any(slot.key == "client_token" for slot in form.slots):
        about = "an idempotency key, as `client_token`; since microversion 1.41"
        yield {"name": "X-Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string"}, "description": about}
    if route.path == "/v1/events":
        about = "the cursor of the last event that was seen, of a client whose stream was cut; goes before `since`"
        yield {"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "string"}, "description": about}


def _body(route: Route, form: Form, bounds: Bounds) -> Json | None:
    """The schema of what a call takes in its body, if it takes anything there."""
    if route.upload is not None:
        data = {"type": "string", "description": "a tar archive; in Base64 from microversion 1.25 on"}
        return {"type": "object", "properties": {"data": data}, "required": ["data"]}
    slots = [slot for slot in form.slots if not in_query(route, slot)]
    if not slots or route.method not in _WITH_BODY:
        return None
    members = {slot.name: _described(slot, bounds) for slot in slots}
    required = [slot.name for slot in slots if slot.required]
    schema: Json = {"type": "object", "properties": members, "required": required, "additionalProperties": False}
    if not route.wrapped:
        return schema
    inner = {**schema, "description": f"the {route.wrapped}"}
    return {"type": "object", "properties": {route.wrapped: inner}, "required": [route.wrapped]}


def _identity(route: Route) -> str:
    words = [word for word in re.split("[^a-z0-9_]+", route.path.lower()) if word]
    return "_".join([route.method.lower(), *([word for word in words if word != "v1"] or words or ["root"])])


def _path_parameters(route: Route) -> Iterator[Json]:
    for name in _PARAMETER.findall(route.path):
        schema = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema, "description": _NAMED.get(name, "its uuid or its name")}


_VERSION: Json = {
    "name": "OpenStack-API-Version",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`container X.Y`: the microversion",
    "example": f"container {MAX_VERSION}",
}


def in_query(route: Route, slot: Slot) -> bool:
    """Whether an option is described as one of the query. Those of a call that changes something may be in its body, too; there they
    belong where the call takes something that no query can say."""
    return slot.in_query and route.method not in ("PUT", "PATCH") and route.options not in (CreateCapsule, Entry)


def _query_parameters(route: Route, form: Form, bounds: Bounds) -> Iterator[Json]:
    """What is declared in the query; calls that change something take it in the body as well."""
    for slot in form.slots:
        if in_query(route, slot) and not route.wrapped:
            described = _described(slot, bounds)
            about = {"description": described.pop("description")} if "description" in described else {}
            yield {"name": slot.name, "in": "query", "required": slot.required, "schema": described, **about}


def _described(slot: Slot, bounds: Bounds) -> Json:
    schema = dict(slot.kind.schema(bounds))
    if slot.kind is kinds.TEMPLATE:
        schema = {"anyOf": [*({"$ref": REFERENCE.format(name=name)} for name in GRAMMARS), {"type": "string"}]}
    said = [slot.doc] if slot.doc else []
    if slot.since > MIN_VERSION:
        said.append(f"since microversion {slot.since}")
    if slot.guard:
        said.append("needs a right of its own")
    return {**schema, "description": "; ".join(said)} if said else schema


def _errors() -> Json:
    member: dict[str, Any] = {
        "request_id": {"type": "string", "description": "always empty: the id is in the header X-Openstack-Request-Id"},
        "code": {"type": "string"},
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "links": {"type": "array"},
    }
    error = {"type": "object", "properties": member, "required": list(member)}
    return {"type": "object", "properties": {"errors": {"type": "array", "minItems": 1, "items": error}}, "required": ["errors"]}
