"""Neutron says nothing for as long as the service waits by default, in the middle of a create, of a capsule's deletion and of a request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cloud.world import World
from tests.cloud.capsules import Capsules
from tests.cloud.containers import Zun
from tests.cloud.faults.books import Books
from tests.cloud.faults.relay import Call, Fault, Relay, detour

#: one call each of a host that creates, of one that deletes, and of a request; what is asked of Neutron is done in all of them
REQUEST = "GET /v2.0/networks?name"
CALLS = ("POST /v2.0/ports", "DELETE /v2.0/ports/*", REQUEST)
#: for which callers wait: the default of ``[neutron] timeout``, and no test's
DEADLINE = 30.0


def first_of_each(call: Call) -> Fault | None:
    return Fault.SILENCE if call.kind in CALLS and call.number == 1 else None


def _refused(zun: Zun, neutron: Relay) -> Any:
    """The answer to a request that has met with silence."""
    while True:
        answer = zun.create(nets=[{"network": "private"}])
        assert answer.status_code == 503, answer.text
        if REQUEST in {call.kind for call, _ in neutron.broken}:
            return answer


def test_half_a_minute_of_silence_ends_what_was_asked_for_and_loses_nothing(cloud: World, zun: Zun, books: Books) -> None:
    """All three at once, because of the half minute."""
    capsules = Capsules(zun)
    dying = capsules.accepted()
    assert capsules.settle(dying)["status"] == "Running"
    with detour(cloud, "network", [cloud.controller, *cloud.hosts]) as neutron, ThreadPoolExecutor() as pool:
        neutron.begin(first_of_each)
        # Whoever asks first may do so by a connection that the detour has cut.
        while (accepted := zun.create()).status_code == 503:
            assert neutron.broken == []
        coming = accepted.json()["uuid"]
        capsules.let_go(dying)
        refused = pool.submit(_refused, zun, neutron)
        ended = zun.settle(coming)
        capsules.gone(dying)
        answer = refused.result()
        assert sorted(call.kind for call, _ in neutron.broken) == sorted(CALLS)
        # Nobody waits for less, however slow the machine is.
        assert min(neutron.held) > DEADLINE - 1
    assert (ended["status"], ended["status_reason"]) == ("Running", None)
    assert "the network service does not answer" in answer.text
    zun.delete(coming)
    books.agree()
