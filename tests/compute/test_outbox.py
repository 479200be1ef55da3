"""What the agent tells is heard, in order, sooner or later."""

import threading

import pytest

from zun import errors
from zun.compute.outbox import Outbox
from zun.domain.lifecycle import EngineState, Observation
from zun.interfaces.rpc import Outcome


class Ear:
    """A conductor that hears, or is deaf for a while."""

    def __init__(self):
        self.heard, self.deaf, self.refuses, self.changed = [], False, None, threading.Condition()
        self.numbers = []

    def _hear(self, what, number):
        with self.changed:
            self.numbers.append(number)
            if self.deaf:
                raise errors.RpcUnavailable(target="conductor", seconds=1)
            self.heard.append(what)
            self.changed.notify_all()
            if self.refuses:
                raise self.refuses

    def finish(self, host, epoch, outcome, number):
        self._hear(outcome, number)

    def observe(self, host, epoch, observations, sandboxes, number):
        self._hear(observations[0] if observations else sandboxes[0], number)

    def wait_for(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.heard) >= count, 10), self.heard


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def delivered():
    return []


@pytest.fixture
def outbox(ear, delivered):
    made = Outbox(ear, "host", "epoch", delivered=delivered.append)
    made.start()
    yield made
    made.stop()


def seen(container, state=EngineState.RUNNING):
    return Observation(container_uuid=container, state=state)


def test_items_are_heard_in_order(outbox, ear):
    for number in range(20):
        outbox.put(Outcome(action_uuid=str(number)))
    ear.wait_for(20)
    assert [outcome.action_uuid for outcome in ear.heard] == [str(number) for number in range(20)]


def test_a_deaf_conductor_hears_later_and_only_the_newest_of_each_container(outbox, ear):
    ear.deaf = True
    outbox.put(seen("a", EngineState.RUNNING))
    outbox.put(seen("b"))
    outbox.put(seen("a", EngineState.EXITED))
    ear.deaf = False
    ear.wait_for(2)
    assert ear.heard[-1] == seen("a", EngineState.EXITED)
    assert ear.heard.count(seen("b")) == 1
    # One that is told again keeps its number; a newer one has a higher one.
    assert sorted(ear.numbers) == ear.numbers and set(ear.numbers) <= {1, 2, 3}


def test_an_outcome_is_out_of_hand_once_it_was_heard(outbox, ear, delivered):
    outbox.put(Outcome(action_uuid="one"))
    outbox.put(seen("a"))
    ear.wait_for(2)
    assert delivered == ["one"]


@pytest.mark.parametrize(
    "refusal", [errors.ZunError(reason="a fault of ours"), ValueError("cannot be encoded")], ids=["refused", "untellable"]
)
def test_what_can_never_be_told_does_not_block_the_rest(outbox, ear, refusal):
    ear.refuses = refusal
    outbox.put(Outcome(action_uuid="one"))
    outbox.put(Outcome(action_uuid="two"))
    ear.wait_for(2)
    assert [outcome.action_uuid for outcome in ear.heard] == ["one", "two"]
