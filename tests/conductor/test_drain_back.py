"""A host that is back in service: what its drain has stopped is known, and starts again if it shall."""

from tests.conductor.draining import FOREVER, operator, status
from tests.invariants import check
from zun import errors
from zun.domain.host import COMPUTE, DrainState
from zun.domain.lifecycle import Desired, Status

__all__ = ["operator"]


def test_what_the_drain_has_stopped_is_started_again_and_nothing_else(world, operator):
    ran, frozen, stopped, made = world.create(), world.create(), world.create(), world.create(run=False)
    world.do("pause", frozen), world.do("stop", stopped)
    operator.drain()
    operator.enable(restart=True)
    assert status(world, ran, frozen, stopped, made) == [Status.RUNNING, Status.RUNNING, Status.STOPPED, Status.CREATED]
    assert not any(one.drained for one in world.containers())
    operator.sweep()
    assert operator.service().drain_state is None
    check(world)


def test_without_the_word_everything_stays_stopped_and_may_be_started_later(world, operator):
    one, users = world.create(), world.create()
    operator.drain()
    operator.enable()
    assert status(world, one, users) == [Status.STOPPED] * 2
    assert world.do("start", users).drained is None
    world.do("stop", users)
    operator.enable(restart=True)
    assert status(world, one, users) == [Status.RUNNING, Status.STOPPED]


def test_another_drain_does_not_bring_back_what_an_earlier_one_has_stopped(world, operator):
    early = world.create()
    operator.drain()
    operator.enable()
    late = world.create()
    operator.drain()
    operator.enable(restart=True)
    assert status(world, early, late) == [Status.STOPPED, Status.RUNNING]
    assert operator.service().drain_state is None, "nothing else is waited for"


def test_a_drain_before_all_is_back_forgets_none(world, operator):
    one, two = world.create(), world.create()
    operator.drain()
    world.kill()
    operator.admin.enable("one", COMPUTE, restart=True)
    operator.admin.drain("one", COMPUTE, 600, None)
    world.begin()
    world.settle()
    assert status(world, one, two) == [Status.STOPPED] * 2
    operator.enable(restart=True)
    assert status(world, one, two) == [Status.RUNNING] * 2
    check(world)


def test_an_enable_in_the_middle_lets_what_stops_stop_and_starts_it_again(world, operator):
    one = world.create()
    operator.drain(settle=False)
    operator.admin.enable("one", COMPUTE, restart=True)
    assert operator.service().drain_state is DrainState.RESTARTING
    world.settle()
    assert status(world, one) == [Status.RUNNING]
    assert [action.action for action in world.actions(one)] == ["create", "stop", "start"]
    operator.sweep()
    assert operator.service().drain_state is None
    check(world)


def test_whoever_stops_his_container_himself_does_not_get_it_back(world, operator):
    one = world.create()
    operator.drain(settle=False)
    world.do("stop", one)
    operator.enable(restart=True)
    assert status(world, one) == [Status.STOPPED]


def test_one_that_was_deleted_meanwhile_is_gone(world, operator):
    one = world.create()
    operator.drain()
    world.delete(one)
    operator.enable(restart=True)
    assert world.containers() == []
    assert operator.service().drain_state is None


def test_one_whose_stop_failed_runs_on_and_is_wanted_again(world, operator):
    one = world.create(restart_policy=FOREVER)
    world.engines["one"].fail("stop", errors.EngineError(reason="not now"))
    operator.drain()
    operator.enable(restart=True)
    shown = world.container(one.uuid)
    assert (shown.status, shown.desired, shown.drained) == (Status.RUNNING, Desired.RUNNING, None)
    world.engines["one"].die(one.uuid, 1)
    world.settle()
    assert status(world, one) == [Status.RUNNING]
