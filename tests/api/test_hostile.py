"""Requests that mean no good, or were made by a broken client: each is a clear 4xx, none is a 500, none leaves anything behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.edge import Edge, error, raw
from zun import errors
from zun.api import reading
from zun.db.store import SqlStore

PATH = "/v1/containers"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'image': 'x'}",
        b'{"image": "busybox", "cpu": NaN}',
        b'{"image": "busybox", "cpu": Infinity}',
        b'{"image": "busybox", "cpu": 1e400}',
        b'{"image": "busybox", "cpu": -1e999}',
        b'{"image": "busybox", "memory": ' + b"9" * 5000 + b"}",
        b'{"image": "busybox", "memory": 99999999999999999999}',
        b'{"image": "busybox", "memory": 9999999999999999999}',
        b'{"image": "busybox", "image": "other"}',
        b'{"image": "busybox", "labels": {"a": "1", "a": "2"}}',
        b'{"image": "busy\\u0000box"}',
        b'{"image": "busybox", "labels": {"a\\u0000": "1"}}',
        b'{"image": "busybox", "labels": {"a": "\\ud800"}}',
        b'{"image": "busybox", "command": ["\\udfff"]}',
        b'{"image": "busybox\xff"}',
        b"\xef\xbb\xbf{}",
        b"\x00\x01\x02",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"image": "busybox", "hints": ' + b'{"a":' * 40 + b"1" + b"}" * 41,
        b"",
        b"null",
        b"[]",
        b'"image"',
        b"5",
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_body_that_is_no_sound_json_object_is_400(edge: Edge, body: bytes) -> None:
    found = error(edge("POST", PATH, body=body, headers=JSON, at="1.40"))
    assert found["status"] == 400
    assert len(found["detail"]) < 300
    assert edge.rows() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"image": "busybox", "cpu": NaN}', "cpu"),
        (b'{"image": "busybox", "cpu": -1e999}', "cpu"),
        (b'{"image": "busybox", "memory": ' + b"9" * 5000 + b"}", "memory"),
        (b'{"image": "busybox", "command": ["sleep", 1e400]}', "command[1]"),
        (b'{"image": "busybox", "labels": {"a": "\\u0000"}}', "labels.a"),
        (b'{"image": "busybox", "nets": [{"network": "\\ud800"}]}', "nets[0].network"),
        (b'{"image": "busybox", "labels": {"a": "1", "a": "2"}}', "a"),
    ],
    ids=lambda each: repr(each[:40]),
)
def test_what_no_field_can_hold_is_refused_with_the_name_of_the_field(edge: Edge, body: bytes, field: str) -> None:
    found = error(edge("POST", PATH, body=body, headers=JSON, at="1.40"))
    assert (found["status"], f"'{field}'" in found["detail"]) == (400, True)


def test_of_a_hundred_thousand_errors_the_first_one_is_enough(edge: Edge) -> None:
    for field, value, rule in (
        ("nets", {}, "at most 64 items"),
        ("command", [], "at most 1000 items"),
        ("security_groups", 1, "at most 1000"),
    ):
        found = error(edge("POST", PATH, json={"image": "busybox", field: [value] * 100_000}, at="1.40"))
        assert rule in found["detail"]


def test_a_key_that_is_doubled_among_very_many_is_found_at_once() -> None:
    keys = ",".join(f'"{number}":1' for number in range(90_000))
    with pytest.raises(errors.BadRequest, match="'89999' is given more than once"):
        reading.parse(f'{{{keys},"89999":1}}'.encode())


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/octet-stream", ""])
def test_a_body_of_another_type_is_415_and_never_ignored(edge: Edge, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert error(edge("POST", PATH, body=b'{"image": "busybox"}', headers=headers))["status"] == 415
    edge.add_container()
    assert error(edge("POST", f"{PATH}/web/kill", body=b"signal=TERM", headers=headers))["status"] == 415


def test_a_type_may_name_its_charset(edge: Edge) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert edge("POST", PATH, body=b'{"image": "busybox"}', headers=headers).status_code == 202


def test_a_body_that_is_too_large_is_413_whether_it_says_so_or_not(sqlite_store: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "zun.conf").write_text("[api]\nmax_request_body_size = 2048\n")
    edge = Edge(sqlite_store, tmp_path, ["--config-file", str(tmp_path / "zun.conf")])
    body = json.dumps({"image": "busybox", "labels": {"a": "x" * 2048}}).encode()
    assert error(edge("POST", PATH, body=body, headers=JSON))["status"] == 413

    class Endless:
        def read(self, size: int = -1) -> bytes:
            assert 0 <= size < 10_000
            return b"x" * size

    identity = {"HTTP_X_PROJECT_ID": "p", "HTTP_X_USER_ID": "u", "HTTP_X_ROLES": "member"}
    status, _, answer = raw(
        edge.app, "POST", PATH, **identity, CONTENT_TYPE="application/json", **{"wsgi.input": Endless(), "wsgi.input_terminated": True}
    )
    assert status.startswith("413")
    assert json.loads(answer)["errors"][0]["code"] == "container.request-too-large"


@pytest.mark.parametrize("length", ["-1", "many", "1e3"])
def test_a_length_that_is_none_is_400(edge: Edge, length: str) -> None:
    identity = {"HTTP_X_PROJECT_ID": "p", "HTTP_X_USER_ID": "u", "HTTP_X_ROLES": "member"}
    status, _, answer = raw(edge.app, "POST", PATH, **identity, CONTENT_TYPE="application/json", CONTENT_LENGTH=length)
    assert status.startswith("400")
    assert json.loads(answer)["errors"][0]["title"] == "Bad Request"


@pytest.mark.parametrize(
    "query",
    [
        "limit=1&limit=2",
        "limit=%00",
        "name=%ff",
        "name=%00",
        "&".join(f"a{number}=1" for number in range(200)),
        "name=%ed%a0%80",
        "marker=%00",
    ],
    ids=lambda query: query[:20],
)
def test_a_query_that_is_not_sound_is_400(edge: Edge, query: str) -> None:
    found = error(edge("GET", f"{PATH}?{query}"))
    assert found["status"] == 400
    assert len(found["detail"]) < 300


def test_a_value_far_too_long_is_400(edge: Edge) -> None:
    for field, value in (
        ("workdir", "/" * 300),
        ("command", "x" * 70_000),
        ("labels", {"k" * 300: "v"}),
        ("labels", {"k": "v" * 70_000}),
        ("hints", {"a": {"b": [1] * 40_000}}),
    ):
        assert error(edge("POST", PATH, json={"image": "busybox", field: value}))["status"] == 400
    many = {str(number): "v" for number in range(1001)}
    for field, value in (("labels", many), ("environment", many), ("hints", many), ("security_groups", [*many])):
        assert error(edge("POST", PATH, json={"image": "busybox", field: value}))["status"] == 400
    assert edge.rows() == []


def test_headers_cannot_be_made_longer_by_a_name(edge: Edge) -> None:
    answer = edge("GET", f"{PATH}/web%0d%0aX-Evil:%201")
    assert answer.status_code == 404
    assert "x-evil" not in answer.headers


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = [
    *"name command entrypoint cpu memory disk cpu_policy environment labels workdir hostname restart_policy interactive tty".split(),
    *"auto_remove auto_heal image_driver image_pull_policy security_groups nets mounts healthcheck exposed_ports runtime".split(),
    *"privileged hints availability_zone registry host run image".split(),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=6), anything, max_size=4),
    at=st.integers(1, 40),
    whole=st.booleans(),
)
def test_no_body_at_any_version_is_a_500(edge: Edge, body: dict[str, Any], at: int, whole: bool) -> None:
    sent = {"image": "busybox", **body} if whole else body
    answer = edge("POST", PATH, json=sent, at=f"1.{at}", role="admin")
    assert answer.status_code in (202, 400, 403, 404), answer.text


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=60))
def test_no_bytes_are_more_than_a_bad_request(data: bytes) -> None:
    try:
        reading.parse(data)
    except errors.BadRequest as error:
        assert len(str(error)) < 300
