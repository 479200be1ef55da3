"""What no client should send, to every call and into every field that the calls declare: the cases are made from the routes, the fields and
the grammar of templates, so that a new one is met with all of it. Each is a 4xx that names the field and changes nothing; none is a 500.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import quote

import falcon.testing
import pytest

from tests.api.edge import Edge, error
from tests.api.test_roles import ANSWERS, TABLE, asked, begin_anew, key
from zun import conf as zun_conf
from zun.api.derive import Form, Forms, Slot
from zun.api.grammar import Many, Node, Object
from zun.api.pod_fields import POD
from zun.api.routes import ROUTES, Route
from zun.api.templates import TEMPLATE
from zun.conf.limits import bounds
from zun.domain.action import Action
from zun.domain.container import Container
from zun.domain.host_image import Image
from zun.domain.registry import Registry
from zun.domain.sandbox import Sandbox
from zun.domain.stream import Ticket

JSON = {"Content-Type": "application/json"}
ROWS = (Container, Sandbox, Action, Image, Registry, Ticket)
Place = tuple[str | int, ...]

#: what no field can hold, as it stands in a body: always 400, and the field is named
NO_VALUES = {
    "not a number": b"NaN",
    "infinity": b"-Infinity",
    "1e400": b"1e400",
    "five thousand digits": b"9" * 5000,
    "twenty digits": b"-99999999999999999999",
    "NUL": b'"a\\u0000"',
    "half a pair": b'"\\ud800"',
    "bad UTF-8": b'"a\xff"',
    "an overlong NUL": b'"\xc0\x80"',
    "NUL in a key": b'{"\\u0000": 1}',
    "NUL far within": b'[{"a": ["\\u0000"]}]',
    "forty levels": b'{"a":' * 40 + b"1" + b"}" * 40,
    "a thousand levels": b"[" * 1000 + b"]" * 1000,
    "fifty thousand levels": b"[" * 50_000,
}
#: the same in a query
NO_TEXTS = {"NUL": "%00", "bad UTF-8": "a%ff", "half a pair": "%ed%a0%80", "an overlong NUL": "%c0%80"}
#: what is too much for every field
TOO_MUCH: dict[str, Any] = {
    "70,000 letters": "x" * 70_000,
    "10,000 keys": {f"key{number}": "v" for number in range(10_000)},
    "10,000 items": ["x"] * 10_000,
}
#: what may be somebody's idea of a value
ODD: dict[str, Any] = {
    "null": None,
    "true": True,
    "minus one": -1,
    "a fraction": 0.5,
    "minus a quintillion": -(10**18),
    "a quintillion": 10**18,
    "nothing": "",
    "a blank": " ",
    "dots": "..",
    "a way out": "../../etc/passwd",
    "slashes": "a/b//c/",
    "two lines": "a\r\nX-Evil: 1",
    "300 letters": "x" * 300,
    "digits of another script": "٣",
    "a number in words": "1e3",
    "a minus in words": "-1",
    "an empty list": [],
    "an empty object": {},
    "a list of nothing": [None],
    "a list of lists": [[]],
    "an object of nothing": {"a": None},
    "an object of objects": {"a": {"b": {}}},
}
#: what the required members of objects are, where another member is what matters
NEEDED: dict[str, Any] = {
    "kind": "capsule",
    "apiVersion": "v1",
    "image": "busybox",
    "name": "web",
    "containerPort": 80,
    "mountPath": "/data",
    "metadata": {"name": "web"},
    "Name": "no",
    "destination": "/data",
    "port": 80,
    "value": "text",
}


@cache
def forms() -> Forms:
    conf = zun_conf.new()
    conf([], project="zun", default_config_files=[])
    return Forms(bounds(conf))


def form(route: Route) -> Form:
    return forms().get(route.options, route.entity, route.purpose, route.until)


def slots(route: Route) -> tuple[Slot, ...]:
    return form(route).slots


def send(edge: Edge, route: Route, row: dict[str, Any], body: bytes | None, query: str | None = None) -> falcon.testing.Result:
    path = asked(route, row) if query is None else f"{asked(route, {**row, 'query': ''}).rstrip('?')}?{query}"
    edge.agent.answer = ANSWERS.get(route.path.rpartition("/")[2])
    return edge(route.method, path, role="admin", at=str(route.until), body=body, headers=JSON if body else {})


def count(edge: Edge) -> list[int]:
    with edge.store.read() as tx:
        return [tx.count(entity) for entity in ROWS]


class Attack:
    """Sends, and looks at what comes back."""

    def __init__(self, edge: Edge, route: Route) -> None:
        self.edge, self.route, self.row = edge, route, TABLE["calls"][key(route)]
        edge.agent.exec_create = lambda *_: "f" * 64  # type: ignore[method-assign]
        begin_anew(edge)
        # Another connection's view of the file: SQLite says whether anything was written at all, which is cheaper than to count.
        self._file = sqlite3.connect(edge.store._engine.url.database)  # type: ignore[attr-defined]
        self._look()

    def _look(self) -> None:
        """What there is now."""
        self._before, self._version = count(self.edge), self._written()

    def _written(self) -> int:
        """Another number after each commit."""
        return int(self._file.execute("PRAGMA data_version").fetchone()[0])

    def body(self, name: str, value: bytes, case: str) -> falcon.testing.Result:
        """The call's sample with this value in the place of a field, or besides."""
        given = dict(self.row.get("body") or {})
        given = given[self.route.wrapped] if self.route.wrapped and given else given
        query = "&".join(part for part in self.row.get("query", "").split("&") if part and part.partition("=")[0] != name)
        members = [json.dumps(other).encode() + b": " + json.dumps(each).encode() for other, each in given.items() if other != name]
        whole = b"{" + b", ".join([*members, json.dumps(name).encode() + b": " + value]) + b"}"
        if self.route.wrapped:
            whole = b'{"%b": %b}' % (self.route.wrapped.encode(), whole)
        return self.checked(send(self.edge, self.route, self.row, whole, query), name, f"{name} is {case}")

    def query(self, name: str, value: str, case: str) -> falcon.testing.Result:
        """The call's sample with this text, quoted already, in the query."""
        body = {other: each for other, each in (self.row.get("body") or {}).items() if other != name}
        parts = [part for part in self.row.get("query", "").split("&") if part and part.partition("=")[0] != name]
        sent = json.dumps(body).encode() if body and self.route.method != "GET" else None
        return self.checked(send(self.edge, self.route, self.row, sent, "&".join([*parts, f"{name}={value}"])), name, f"?{name} is {case}")

    def checked(self, answer: falcon.testing.Result, name: str, what: str) -> falcon.testing.Result:
        """No 5xx; a 400 names the field, in few words; what is refused changes nothing."""
        assert answer.status_code < 500, f"{what}: {answer.text}"
        if answer.status_code >= 400:
            found = error(answer)
            assert len(found["detail"]) < 600, what
            # Of an image the name itself is told; what is far too deep or too long is told by what it is all in.
            known = found["code"] in ("container.not-offered", "container.invalid-image")
            names = (name, self.route.wrapped or name, "data" if self.route.upload else name, "kind" if name == "template" else name)
            assert answer.status_code != 400 or known or any(each in found["detail"] for each in names), f"{what}: {found['detail']}"
            assert self._written() == self._version or count(self.edge) == self._before, what
        elif self.route.method != "GET" or answer.status_code == 307:
            self._look()
            if self.route.verb or self.route.method == "DELETE" or self._before[0] > 25:  # before the state or the quota is in the way
                begin_anew(self.edge)
                self._look()
        return answer


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method != "GET" and slots(route)], ids=key)
def test_what_no_field_can_hold_is_refused_by_the_field_s_name(edge: Edge, route: Route) -> None:
    attack = Attack(edge, route)
    for slot in slots(route):
        for case, value in NO_VALUES.items():
            answer = attack.body(slot.name, value, case)
            assert answer.status_code == 400, f"{slot.name} is {case}: {answer.status_code}"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method != "GET" and slots(route)], ids=key)
def test_too_much_of_anything_is_refused_by_the_field_s_name(edge: Edge, route: Route) -> None:
    attack = Attack(edge, route)
    for slot in slots(route):
        for case, value in TOO_MUCH.items():
            answer = attack.body(slot.name, json.dumps(value).encode(), case)
            # what has no effect at all may be anything
            assert answer.status_code == 400 or slot.kind.name == "anything", f"{slot.name} is {case}: {answer.status_code}"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method != "GET" and slots(route)], ids=key)
def test_odd_values_are_taken_or_refused_by_the_field_s_name(edge: Edge, route: Route) -> None:
    attack = Attack(edge, route)
    for slot in slots(route):
        for case, value in ODD.items():
            answer = attack.body(slot.name, json.dumps(value).encode(), case)
            assert "X-Evil" not in answer.headers


ASKING = [route for route in ROUTES if any(slot.in_query for slot in slots(route)) and not route.wrapped]


@pytest.mark.parametrize("route", ASKING, ids=key)
def test_odd_texts_in_a_query_are_taken_or_refused_by_the_field_s_name(edge: Edge, route: Route) -> None:
    attack = Attack(edge, route)
    for slot in slots(route):
        if not slot.in_query:
            continue
        for case, text in NO_TEXTS.items():
            assert attack.query(slot.name, text, case).status_code == 400, f"{slot.name} is {case}"
        assert attack.query(slot.name, f"1&{slot.name}=2", "doubled").status_code == 400
        for case, value in ODD.items():
            attack.query(slot.name, quote(value if isinstance(value, str) else json.dumps(value)), case)
        if slot.kind.name not in ("anything", "template"):
            assert attack.query(slot.name, "x" * 70_000, "70,000 letters").status_code == 400


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method != "GET"], ids=key)
def test_what_is_no_sound_json_is_refused_everywhere(edge: Edge, route: Route) -> None:
    row = TABLE["calls"][key(route)]
    begin_anew(edge)
    before = count(edge)
    for body in (b"{", b"\x00", b"{'a': 1}", b'{"a": 1, "a": 2}', b'{"\\ud800": 1, "\\ud800": 2}', b"[" * 100_000, b"\xff\xfe{\x00}\x00"):
        answer = send(edge, route, row, body)
        assert answer.status_code == 400, (body[:20], answer.text)
        assert len(error(answer)["detail"]) < 300
        assert count(edge) == before
    wrong = edge(route.method, asked(route, row), role="admin", at=str(route.until), body=b"<a/>", headers={"Content-Type": "text/xml"})
    assert wrong.status_code == 415


# -- within fields -------------------------------------------------------------------------------------


def within(schema: dict[str, Any], place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """The places in a JSON schema below its top, each with what else must be in the objects on the way."""
    for part in (schema, *schema.get("anyOf", ())):
        for name, inner in part.get("properties", {}).items():
            yield (*place, name), [each for each in part.get("required", ()) if each != name]
            yield from within(inner, (*place, name))
        if isinstance(part.get("items"), dict):
            yield (*place, 0), []
            yield from within(part["items"], (*place, 0))
        if isinstance(part.get("additionalProperties"), dict):
            yield (*place, "80"), []


def members(node: Node, place: Place = ()) -> Iterator[Place]:
    """The places of a template's grammar."""
    if isinstance(node, Many):
        yield (*place, 0)
        yield from members(node.of, (*place, 0))
    elif isinstance(node, Object):
        for name, member in node.members.items():
            yield (*place, name)
            yield from members(member.node, (*place, name))


def sample(node: Node, place: Place, value: Any) -> Any:
    """The smallest document with this value in this place."""
    if not place:
        return value
    if isinstance(node, Many):
        return [sample(node.of, place[1:], value)]
    assert isinstance(node, Object)
    name = str(place[0])
    found = {other: smallest(member.node, other) for other, member in node.members.items() if member.required and other != name}
    return {**found, name: sample(node.members[name].node, place[1:], value)}


def smallest(node: Node, name: str) -> Any:
    if isinstance(node, Many):
        return [smallest(node.of, name)]
    if isinstance(node, Object) and name not in NEEDED:
        return {other: smallest(member.node, other) for other, member in node.members.items() if member.required}
    return NEEDED[name]


BAD: dict[str, Any] = {
    **{case: value for case, value in ODD.items() if case not in ("a blank", "two lines", "a number in words", "a list of lists")},
    "70,000 letters": "x" * 70_000,
    "2,000 keys": {f"key{number}": "v" for number in range(2000)},
    "2,000 items": ["x"] * 2000,
    "NUL": "\0",
    "half a pair": "\ud800",
    "not a number": float("nan"),
}
NEVER = ("70,000 letters", "2,000 keys", "2,000 items", "NUL", "half a pair", "not a number")


def hurt(edge: Edge, path: str, document: dict[str, Any], names: list[str], case: str) -> None:
    """Send it: no 5xx; a 400 blames one of the names; what no place can hold is refused."""
    answer = edge("POST", path, json=document, role="admin", at="1.41")
    told = f"{names} is {case}: {answer.text[:300]}"
    assert answer.status_code < 500, told
    if answer.status_code == 400:
        assert any(name in error(answer)["detail"] for name in names), told
    assert answer.status_code >= 400 or case not in NEVER, told
    if answer.status_code < 400 and len(edge.rows()) > 25:
        begin_anew(edge)


@pytest.mark.parametrize("slot", [slot for slot in slots(next(r for r in ROUTES if r.rule == "container:create")) if not slot.option])
def test_every_place_within_a_field_of_a_container(edge: Edge, slot: Slot) -> None:
    begin_anew(edge)
    for place, others in within(form(next(r for r in ROUTES if r.rule == "container:create")).schema["properties"][slot.name]):
        for case, value in BAD.items():
            document: Any = value
            for depth, part in reversed(list(enumerate(place))):
                needed = {name: NEEDED[name] for name in others} if depth == len(place) - 1 else {}
                document = [document] if isinstance(part, int) else {**needed, part: document}
            hurt(edge, "/v1/containers", {"image": "busybox", slot.name: document}, [slot.name], case)


@pytest.mark.parametrize(("kind", "grammar"), [("capsule", TEMPLATE), ("Pod", POD)])
@pytest.mark.parametrize("half", [0, 1])
def test_every_place_within_a_template(edge: Edge, kind: str, grammar: Object, half: int) -> None:
    begin_anew(edge)
    for place in list(members(grammar))[half::2]:
        names = [str(part) for part in place if isinstance(part, str) and (part != "spec" or len(place) == 1)]
        if names == ["kind"]:
            continue
        for case, value in BAD.items():
            document = {**sample(grammar, place, value), "kind": kind}
            if place[:3] == ("spec", "initContainers", 0) and len(place) > 3:
                first = document["spec"]["initContainers"][0]
                first.update({"name": "first"} if place[3] != "name" else {})
            hurt(edge, "/v1/capsules", {"template": document}, names, f"{place} {case}")
