"""What is told of a life, and how long it is kept."""

from datetime import timedelta

import pytest

from tests.invariants import check
from tests.world import ME
from zun import errors
from zun.conductor.events import EVERY, Forget, after
from zun.domain.event import Event, What
from zun.domain.lifecycle import Status


def told(world):
    with world.store.read() as tx:
        return [(event.what.value, event.action or (event.status and event.status.value), event.task_state) for event in tx.find(Event)]


def test_a_whole_life_is_told_in_order(world):
    container = world.create()
    world.do("stop", container)
    world.delete(container)
    assert told(world) == [
        ("created", "Creating", None),
        ("accepted", "create", None),
        ("status", "Creating", "container_creating"),
        ("status", "Running", None),
        ("accepted", "stop", None),
        ("status", "Running", "container_stopping"),
        ("status", "Stopped", None),
        ("status", "Deleting", "container_deleting"),
        ("accepted", "delete", "container_deleting"),
        ("deleted", "Deleting", "container_deleting"),
    ]
    with world.store.read() as tx:
        assert [event.cursor for event in tx.find(Event)] == list(range(1, 11))
        assert {event.request_id for event in tx.find(Event)} == {ME.request_id}


def test_a_death_is_told_with_its_code(world):
    container = world.create()
    world.engines["one"].die(container.uuid, 3)
    world.settle()
    with world.store.read() as tx:
        last = tx.find(Event)[-1]
    assert (last.what, last.old_status, last.status, last.exit_code, last.request_id) == (
        What.STATUS,
        Status.RUNNING,
        Status.STOPPED,
        3,
        None,
    )
    check(world)


def test_what_is_refused_is_not_told(world):
    container = world.create()
    before = told(world)
    with pytest.raises(errors.InvalidStateException):
        world.verbs.accept(ME, container, "unpause", {})
    with pytest.raises(errors.InvalidImage):
        world.create(image="not an image!")
    assert told(world) == before


def test_nothing_is_told_of_news_that_change_nothing(world):
    world.create()
    before = told(world)
    world.heartbeats()
    world.scans()
    assert told(world) == before


def forget(world, **options):
    return Forget(world.store, clock=world.clock, **{"retention": 3600, "most": 1000} | options)


def test_old_events_go_and_the_newest_stays_for_the_next_one_to_be_numbered(world):
    container = world.create()
    world.clock.pass_time(3601)
    forget(world).run()
    with world.store.read() as tx:
        assert [event.cursor for event in tx.find(Event)] == [4]
        with pytest.raises(errors.EventsGone):
            after(tx, "mine", 2, {}, 10)
        assert after(tx, "mine", 3, {}, 10).cursor == 4
    world.do("stop", container)
    with world.store.read() as tx:
        assert [event.cursor for event in after(tx, "mine", 4, {}, 10).events] == [5, 6, 7]


def test_of_too_many_the_newest_are_kept(world):
    world.create()
    forget(world, most=2).run()
    with world.store.read() as tx:
        assert [event.cursor for event in tx.find(Event)] == [3, 4]


def test_young_events_are_left_and_a_round_that_comes_too_soon_does_nothing(world):
    world.create()
    sweeping = forget(world)
    sweeping.run()
    assert len(told(world)) == 4
    world.clock.pass_time(3601)
    forgetful = forget(world)
    forgetful.run()
    assert len(told(world)) == 1
    world.heartbeats()
    world.create()
    few = Forget(world.store, clock=world.clock, retention=1, most=1000)
    few.run()
    world.create()
    world.clock.pass_time(2)
    before = len(told(world))
    few.run()
    assert len(told(world)) == before
    world.clock.pass_time(EVERY / timedelta(seconds=1))
    few.run()
    assert len(told(world)) == 1
