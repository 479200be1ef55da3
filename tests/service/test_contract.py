"""The REST contract as data: the files of ``contract/`` say what is sent and what comes back, over HTTP, from a live service: an embedded
one, or with ``--on-cloud`` the one of the cloud that is up, with Keystone, Neutron, Glance, Cinder and Placement, and two hosts.

In the manner of gabbi, which must know the address of the service when tests are collected; here it is known when they run. A row is one
request, or with ``each`` or a list of versions several:

    name              what the contract says
    where             ``embedded`` or ``cloud``: the other one is not asked this
    GET, POST ...     the path; $word stands for what an earlier row of the section has kept
    as, at            the user (mia unless said) and the microversion (1.40 unless said, null: no header)
    data, body        JSON to send, or text; ``send`` has further headers
    status            of the answer; 400 where ``refuses`` names the field that is to be blamed
    json, headers     what must be in the answer: objects may have more keys than are named, lists may not have more items; ``~`` begins a
                      regular expression, ``<int>`` is any value of a type, ``=keys`` are all the keys there are, ``=each`` is what each
                      item of a list is; null: no such header
    keep              a name for something in the answer, as keys parted by points
    until             true: asked again until the answer is as said
    each              what differs from the row, request by request

``$url`` is where the service is, ``$own`` the project of mia, ray, rob and admin, ``$other`` sue's, ``$mia`` mia's id; ``$network`` is the
network that a container gets. A section, too, may have a ``where``, and then says ``because`` of what.

One that ``needs`` another deployment than the others is asked by the test of that; one that speaks of the ``whole`` service is not asked
while another such is.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import pytest
import requests
import yaml

from tests.service import people_on_cloud
from tests.service.aio import PATIENCE
from tests.service.people import empty, with_users

FILES = sorted((Path(__file__).parent / "contract").glob("*.yaml"))
WRITTEN = [section for file in FILES for section in yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)]
METHODS = ("GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS")
TYPES = {"<str>": str, "<int>": int, "<float>": float, "<bool>": bool, "<list>": list, "<object>": dict}


@pytest.fixture(scope="module")
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A service with several users."""
    if request.config.getoption("--on-cloud"):
        yield from people_on_cloud.on_cloud()
    else:
        yield from with_users(request.getfixturevalue("engine"), tmp_path_factory.mktemp("contract"))


def sections() -> Iterator[Any]:
    """Those that are asked here or there, and not by other tests."""
    only = {"embedded": pytest.mark.embedded, "cloud": pytest.mark.on_cloud}
    for section in WRITTEN:
        if "needs" not in section:
            marks = [only[section["where"]](section["because"])] if "where" in section else []
            marks += [pytest.mark.whole] if section.get("whole") else []
            yield pytest.param(section, id=section["section"], marks=marks)


@pytest.mark.parametrize("section", list(sections()))
def test_the_contract(cloud: Any, section: dict[str, Any]) -> None:
    hold(cloud, section)


def hold(cloud: Any, section: dict[str, Any]) -> None:
    """Send what a section says, and compare; then remove all."""
    kept: dict[str, Any] = cloud.words()
    try:
        for row in (each for written in section["requests"] for each in spread(written)):
            if row.get("where", cloud.place) == cloud.place:
                ask(cloud, row, kept)
    finally:
        empty(cloud)
    cloud.assert_nothing_leaked()


def spread(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The requests of a row."""
    for each in row.get("each", [{}]):
        one = {"at": "1.40", **row, **each}
        if "data" in row and "data" in each:
            one["data"] = {**row["data"], **each["data"]}
        for version in one["at"] if isinstance(one["at"], list) else [one["at"]]:
            yield {**one, "at": version}


def ask(cloud: Any, row: dict[str, Any], kept: dict[str, Any]) -> None:
    """Send one request and compare. Fails with the row and the answer."""
    row = filled(row, kept)

    def wrong() -> tuple[requests.Response, list[str]]:
        answer = send(cloud, row)
        return answer, [*form(row, answer), *compared(row, answer)]

    answer, differences = wrong()
    until, pause = time.monotonic() + PATIENCE * bool(row.get("until")), 0.05
    while differences and time.monotonic() < until:
        time.sleep(pause)
        # What takes long is not asked for often: that is time of the processors' which those who work on it need.
        pause = min(pause * 1.2, 0.3)
        answer, differences = wrong()
    asked = f"{method(row)} {path(row)} {row.get('data') or row.get('body') or ''} as {row.get('as', 'mia')} at {row['at']}"
    assert not differences, f"{row['name']}: {asked} -> {answer.status_code} {answer.text[:1000]}"
    for name, place in row.get("keep", {}).items():
        found = answer.json()
        for part in place.split("."):
            found = found[int(part) if part.isdecimal() else part]
        kept[name] = found


def filled(value: Any, kept: dict[str, Any]) -> Any:
    """The value with what was kept in its places."""
    if isinstance(value, str):
        return Template(value).safe_substitute(kept)
    if isinstance(value, list):
        return [filled(each, kept) for each in value]
    return {filled(name, kept): filled(each, kept) for name, each in value.items()} if isinstance(value, dict) else value


def method(row: dict[str, Any]) -> str:
    """How the row asks: the last one that is named, so that a request of a row may differ from it."""
    return [name for name in row if name in METHODS][-1]


def path(row: dict[str, Any]) -> str:
    """What the row asks."""
    return str(row[method(row)])


def send(cloud: Any, row: dict[str, Any]) -> requests.Response:
    """The answer. Nothing is added to what the row says but who asks, and at which microversion."""
    headers = {"OpenStack-API-Version": f"container {row['at']}"} if row["at"] else {}
    options: dict[str, Any] = {"json": row["data"]} if row.get("data") is not None else {"data": row.get("body", "")}
    headers |= row.get("send", {})
    options["allow_redirects"] = row.get("status") != 307
    answer: requests.Response = cloud.ask(row.get("as", "mia"), method(row), path(row), headers, **options)
    return answer


def form(row: dict[str, Any], answer: requests.Response) -> Iterator[str]:
    """What every answer must be, whatever was asked."""
    if not answer.headers.get("X-Openstack-Request-Id", "").startswith("req-"):
        yield "no request id"
    if row["at"] and answer.status_code != 406 and path(row) != "/":
        asked = row["at"].replace("latest", "1.41")
        if answer.headers.get("OpenStack-API-Version") != f"container {asked}":
            yield f"the microversion {asked} is not echoed"
    if answer.status_code == 204 and (answer.content or "Content-Type" in answer.headers):
        yield "a 204 with a body"
    if answer.status_code < 400 or method(row) == "HEAD":
        return
    error = {"request_id": "", "status": answer.status_code, "links": "<list>", "code": "<str>", "title": "<str>", "detail": "<str>"}
    yield from differs({"errors": [error]}, answer.json(), "error")
    if answer.json()["errors"][0]["code"] != "container." and answer.status_code != 406:
        yield from differs(answer.json()["errors"][0]["title"], answer.json()["errors"][0]["detail"], "error.detail")


def compared(row: dict[str, Any], answer: requests.Response) -> Iterator[str]:
    """What the row says of the answer and is not so."""
    status = row.get("status", 400 if "refuses" in row else 200)
    if answer.status_code != status:
        yield f"status {answer.status_code} instead of {status}"
    elif "refuses" in row and not re.search(rf"'{re.escape(row['refuses'])}[.\['\]]", answer.text):
        yield f"{row['refuses']} is not blamed"
    elif "json" in row:
        yield from differs(row["json"], answer.json(), "json")
    for name, expected in row.get("headers", {}).items():
        yield from differs(expected, answer.headers.get(name), name)


def differs(expected: Any, found: Any, where: str) -> Iterator[str]:
    """Every place where ``found`` is not as expected; types count as JSON has them: 1, 1.0, "1" and true are four things."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, each in expected.items():
            if name == "=keys":
                yield from differs(sorted(each), sorted(found), f"{where}: keys")
            elif name in found:
                yield from differs(each, found[name], f"{where}.{name}")
            else:
                yield f"{where}.{name} is missing"
    elif isinstance(expected, dict) and isinstance(found, list) and "=each" in expected:
        yield from differs([expected["=each"]] * max(1, len(found)), found, where)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (each, other) in enumerate(zip(expected, found, strict=True)):
            yield from differs(each, other, f"{where}[{index}]")
    elif isinstance(expected, str) and expected.startswith("~"):
        if not isinstance(found, str) or re.fullmatch(expected[1:], found, re.DOTALL) is None:
            yield f"{where} is {found!r}, which does not match {expected[1:]}"
    elif expected in TYPES if isinstance(expected, str) else False:
        if type(found) is not TYPES[expected]:
            yield f"{where} is {found!r}, and not {expected}"
    elif type(expected) is not type(found) or expected != found:
        yield f"{where} is {json.dumps(found)[:200]} instead of {json.dumps(expected)[:200]}"
