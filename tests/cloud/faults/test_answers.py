"""Each call that a create and a delete make of another service fails once: with 500, with 503, or with no answer although it was done.

The containers of a round are made together: the first call of each kind breaks, whichever of them makes it. So each kind is met in the
state in which it is really made, and a round is no longer than its longest wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from cloud.nodes import Node
from cloud.services import settings
from cloud.world import World
from tests.cloud.containers import Zun
from tests.cloud.faults.books import Books
from tests.cloud.faults.relay import Call, Fault, Relay, detour

#: of a round, on two hosts
CONTAINERS = 4


def first_of_each_kind(fault: Fault) -> Callable[[Call], Fault | None]:
    return lambda call: fault if call.number == 1 else None


def broken(relay: Relay) -> set[str]:
    """The kinds of calls that failed, without their queries."""
    return {call.kind.partition("?")[0] for call, _ in relay.broken}


def made(zun: Zun, **asked: Any) -> list[str]:
    answers = [zun.create(**asked) for _ in range(CONTAINERS)]
    assert [answer.status_code for answer in answers] == [202] * CONTAINERS, [answer.text for answer in answers]
    return [str(answer.json()["uuid"]) for answer in answers]


def run(zun: Zun, uuids: list[str]) -> None:
    ended = [zun.settle(uuid) for uuid in uuids]
    assert [(one["status"], one["status_reason"]) for one in ended] == [("Running", None)] * len(uuids)


def deleted(zun: Zun, uuids: list[str]) -> None:
    for uuid in uuids:
        assert zun.call("DELETE", f"/containers/{uuid}", params={"stop": "true"}).status_code == 204
    for uuid in uuids:
        zun.gone(uuid)


@dataclass(frozen=True)
class Service:
    """A service that containers need something of: who calls it, for what, and which calls must be among those that fail."""

    kind: str
    callers: Callable[[World], Sequence[Node]]
    asked: Mapping[str, Any]
    creating: frozenset[str]
    deleting: frozenset[str]


def _hosts(cloud: World) -> Sequence[Node]:
    return cloud.hosts


def _controller(cloud: World) -> Sequence[Node]:
    return [cloud.controller]


SERVICES = {
    "neutron": Service(
        "network",
        _hosts,
        {"exposed_ports": {"80/tcp": {}}},
        frozenset({"POST /v2.0/ports", "GET /v2.0/ports", "POST /v2.0/security-groups"}),
        frozenset({"GET /v2.0/ports", "DELETE /v2.0/ports/*", "DELETE /v2.0/security-groups/*"}),
    ),
    "cinder": Service(
        "block-storage",
        _hosts,
        {"mounts": [{"size": 1, "destination": "/data"}]},
        frozenset({"GET /v3/volumes/*", "GET /v3/attachments", "POST /v3/attachments", "POST /v3/attachments/*/action"}),
        frozenset({"GET /v3/attachments", "DELETE /v3/attachments/*", "DELETE /v3/volumes/*"}),
    ),
    "placement": Service(
        "placement",
        _controller,
        {},
        frozenset({"GET /allocation_candidates", "PUT /allocations/*"}),
        frozenset({"GET /allocations/*", "PUT /allocations/*"}),
    ),
}


def used(cloud: World, name: str) -> None:
    """Skips what our service on this cloud does not use."""
    text = (settings.folder(cloud.controller, "zun") / "zun.conf").read_text()
    if name == "placement" and "driver = placement" not in text:
        pytest.skip("the service of this cloud keeps its own account of hosts")


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("name", SERVICES)
def test_each_call_of_creates_and_deletes_fails_once(cloud: World, zun: Zun, books: Books, hurried: None, name: str, fault: Fault) -> None:
    used(cloud, name)
    service = SERVICES[name]
    with detour(cloud, service.kind, service.callers(cloud)) as relay:
        relay.begin(first_of_each_kind(fault))
        uuids = made(zun, **service.asked)
        run(zun, uuids)
        assert service.creating <= broken(relay)
        books.agree()
        relay.begin(first_of_each_kind(fault))
        deleted(zun, uuids)
        books.agree()
        assert service.deleting <= broken(relay)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("name", ["neutron", "cinder"])
def test_a_request_that_is_not_answered_for_is_503_and_leaves_nothing(
    cloud: World, zun: Zun, books: Books, hurried: None, name: str, fault: Fault
) -> None:
    service = SERVICES[name]
    with detour(cloud, service.kind, _controller(cloud)) as relay:
        relay.begin(lambda call: fault)
        while not relay.broken:  # the first one may meet a connection that the detour has cut
            assert zun.create(**service.asked).status_code == 503
    assert books.differences() == []
