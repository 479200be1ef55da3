"""Waiting for ports: what is asked of Neutron meanwhile, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from tests.drivers.network.neutrons import FakeNeutron
from zun import errors
from zun.drivers.network.activity import Activity
from zun.drivers.network.cloud import Port


class Asked(FakeNeutron):
    """Writes down for which ports it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[set[str]] = []
        self.reminded: list[str] = []

    def remind(self, port_id: str) -> None:
        self.reminded.append(port_id)
        super().remind(port_id)

    def states(self, port_ids: Collection[str]) -> list[Port]:
        self.asked.append(set(port_ids))
        return super().states(port_ids)

    def plugged(self) -> str:
        """A port that waits for its agent."""
        return self.make_port({"network_id": self.add_network("project").id, "project_id": "project"}).id


@pytest.fixture
def neutron() -> Asked:
    return Asked()


def activity(neutron: Asked, meanwhile: Callable[[], None], clock: Callable[[], float] = lambda: 0.0, timeout: float = 5) -> Activity:
    """Time stands still, unless ``clock`` says otherwise; between two looks happens what happens ``meanwhile``."""
    return Activity(neutron, host="here", timeout=timeout, clock=clock, sleep=lambda seconds: meanwhile())


def test_it_looks_until_the_port_is_active(neutron: Asked) -> None:
    port = neutron.plugged()
    activity(neutron, lambda: neutron.wired(port), iter(range(100)).__next__).wait({port})
    assert neutron.asked == [{port}, {port}]


def test_one_question_is_for_all_that_are_waited_for(neutron: Asked) -> None:
    one, other = neutron.plugged(), neutron.plugged()

    def meanwhile() -> None:
        neutron.wired(one)
        neutron.wired(other)
        waiting.wait({other})

    waiting = activity(neutron, meanwhile)
    waiting.wait({one})
    assert neutron.asked == [{one}, {one, other}], "the first one hears what the second one was answered"


def test_an_agent_that_was_not_heard_is_reminded_and_not_soon(neutron: Asked) -> None:
    port, other = neutron.plugged(), neutron.plugged()
    neutron.deaf = True
    neutron.wired(port)
    passed = [0.0]

    def meanwhile() -> None:
        passed[0] += 1.0
        assert not neutron.reminded or passed[0] > 15.0
        if passed[0] == 40.0:
            neutron.deaf = False
            neutron.wired(other)

    activity(neutron, meanwhile, lambda: passed[0], timeout=60).wait({port, other})
    assert sorted(neutron.reminded) == sorted([port, other])
    assert neutron.known_ports[port].status == "ACTIVE"


def test_who_waits_a_short_while_reminds_when_half_of_it_is_over(neutron: Asked) -> None:
    port = neutron.plugged()
    with pytest.raises(errors.PortNotActive):
        activity(neutron, lambda: None, iter(range(100)).__next__).wait({port})
    assert neutron.reminded == [port]


def test_an_agent_that_hears_nothing_for_long_is_reminded_ever_more_rarely(neutron: Asked) -> None:
    port = neutron.plugged()
    passed, reminded = [0.0], []

    def remind(port_id: str) -> None:
        reminded.append(passed[0])
        if passed[0] > 200:
            neutron.wired(port_id)

    def meanwhile() -> None:
        passed[0] += 1.0

    neutron.remind = remind  # type: ignore[method-assign]
    activity(neutron, meanwhile, lambda: passed[0], timeout=300).wait({port})
    assert reminded == [16.0, 47.0, 108.0, 229.0]


def test_who_cannot_be_told_to_give_up_waits_no_longer_than_he_says(neutron: Asked) -> None:
    port = neutron.plugged()
    passed = [0.0]

    def meanwhile() -> None:
        passed[0] += 1.0

    with pytest.raises(errors.PortNotActive, match="within 60 seconds"):
        activity(neutron, meanwhile, lambda: passed[0], timeout=300).wait({port}, longest=60)
    assert passed[0] < 65


def test_a_reminder_that_is_refused_ends_no_wait(neutron: Asked) -> None:
    port = neutron.plugged()

    def refused(port_id: str) -> None:
        neutron.wired(port_id)
        raise errors.NetworkRefused(reason="somebody has changed it")

    neutron.remind = refused  # type: ignore[method-assign]
    activity(neutron, lambda: None, iter(range(100)).__next__).wait({port})


def test_nothing_is_asked_for_nobody(neutron: Asked) -> None:
    activity(neutron, lambda: None).wait(set())
    assert neutron.asked == []


def test_a_port_that_was_deleted_meanwhile_ends_the_wait(neutron: Asked) -> None:
    port = neutron.plugged()
    with pytest.raises(errors.BindingFailed, match="deleted it meanwhile"):
        activity(neutron, lambda: neutron.delete_port(port), iter(range(100)).__next__).wait({port})
