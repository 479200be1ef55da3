"""Who is deaf knows it, and since when he hears again."""

import pytest

from tests.hands import Clock
from tests.world import DOWN_TIME
from zun import errors
from zun.conductor.ears import Ears


class Way:
    """The way of a host's heartbeat."""

    def __init__(self):
        self.barred = None

    def __call__(self):
        if self.barred is not None:
            raise self.barred


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def way():
    return Way()


@pytest.fixture
def ears(way, clock):
    return Ears(way, clock=clock, service_down_time=DOWN_TIME)


def test_who_has_not_listened_yet_is_deaf(ears):
    assert ears.hearing() is None


def test_who_hears_has_heard_since_the_first_time(ears, clock):
    ears.listen()
    first = ears.hearing()
    for _ in range(20):
        clock.pass_time(DOWN_TIME / 4)
        ears.listen()
    assert ears.hearing() == first


@pytest.mark.parametrize("trouble", [errors.RpcUnavailable(target="anybody", seconds=1), errors.StoreUnavailable(reason="it is away")])
def test_who_does_not_get_through_is_deaf_and_hears_anew_afterwards(ears, clock, way, trouble):
    ears.listen()
    first = ears.hearing()
    way.barred = trouble
    ears.listen()
    assert ears.hearing() is None
    way.barred = None
    ears.listen()
    assert first < ears.hearing() <= clock.now


def test_who_was_held_up_has_heard_nothing_meanwhile(ears, clock):
    ears.listen()
    first = ears.hearing()
    clock.pass_time(DOWN_TIME)
    assert ears.hearing() is None
    ears.listen()
    assert ears.hearing() > first


def test_a_conductor_of_another_release_is_there_too(ears, way):
    way.barred = errors.ZunError(reason="hears is not known to the release that is asked")
    ears.listen()
    assert ears.hearing() is not None
