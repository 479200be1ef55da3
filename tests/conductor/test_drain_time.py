"""How long a drain takes, what becomes of it meanwhile, and that it goes on whoever has died."""

import logging

import pytest
from msgspec.structs import replace

from tests.conductor.draining import FOREVER, Operator, operator, status, stops
from tests.hands import Killed
from tests.invariants import check
from tests.world import DOWN_TIME, ME
from zun import errors
from zun.domain.host import COMPUTE, Service
from zun.domain.lifecycle import Status

__all__ = ["operator"]


def handed_out(world):
    """The stop that the host has in hand, as it was handed out."""
    return world.desk.claim("one", world.lives["one"].loop._epoch, [], 10).work[0].action.arguments


@pytest.mark.parametrize(
    ("grace", "timeout", "given"), [(None, 600, {}), (None, 5, {"timeout": 5}), (60, 600, {}), (60, 30, {"timeout": 30}), (0, 0, {})]
)
def test_a_container_is_given_its_own_grace_and_never_more_than_there_is(world, operator, grace, timeout, given):
    one = world.create()
    with world.store.write() as tx:
        tx.save(replace(tx.get(type(one), one.uuid), grace=grace))
    world.mute = True
    operator.drain(timeout=timeout, settle=False)
    found = handed_out(world)
    assert found == given or (given and found == {"timeout": given["timeout"] - 1}), "the clock has moved"


def test_when_the_deadline_has_passed_nobody_is_given_time(world, operator):
    one = world.create()
    world.mute = True
    operator.drain(timeout=60, settle=False)
    world.clock.pass_time(61)
    assert handed_out(world) == {"timeout": 0}
    assert [action.arguments for action in stops(world, one)] == [{}], "what is written down is what was decided"


def test_a_users_own_stop_is_hurried_too(world, operator):
    one = world.create()
    world.mute = True
    world.do("stop", one, settle=False, timeout=3600)
    operator.drain(timeout=20, settle=False)
    assert handed_out(world)["timeout"] in (19, 20)


def test_who_is_waited_for_when_the_deadline_comes_is_killed(world, operator):
    mine, capsules = world.create(), world.create_capsule({}, {})
    world.do("stop", mine, settle=False, timeout=3600)
    world.verbs.delete_capsule(ME, world.sandbox(capsules[0]))
    handed_out(world)  # and now the host waits, for an hour
    operator.drain(timeout=60, settle=False)
    assert world.in_engine(mine) == ["running"]
    world.clock.pass_time(61)
    world.heartbeats()
    operator.drains.run()
    assert world.in_engine(mine) + world.in_engine(capsules[0]) + world.in_engine(capsules[1]) == ["exited"] * 3
    operator.drains.run()  # what has ended is killed once more, which is nothing
    world.restart(), world.settle()
    assert status(world, mine) == [Status.STOPPED]
    assert operator.left() == 0
    check(world)


def test_a_host_that_is_down_is_not_asked_to_kill(world, operator, caplog):
    one = world.create()
    world.do("stop", one, settle=False)
    handed_out(world)
    world.kill()
    world.clock.pass_time(DOWN_TIME + 1)
    operator.drain(timeout=0, settle=False)
    assert "killed" not in caplog.text


def test_a_drain_that_is_repeated_has_another_deadline_and_is_the_same(world, operator):
    world.create()
    operator.drain(timeout=600)
    first = operator.service()
    operator.admin.drain("one", COMPUTE, 10, None)
    second = operator.service()
    assert second.drain_deadline < first.drain_deadline
    assert (second.drain_id, second.disabled_reason) == (first.drain_id, "new disk")


# -- what goes wrong ------------------------------------------------------------------------------


def test_on_a_host_that_is_down_the_stops_wait_until_it_is_back(world, operator):
    one, two = world.create(restart_policy=FOREVER), world.create()
    world.kill()
    world.clock.pass_time(DOWN_TIME + 1)
    world.sweep.run()
    assert status(world, one, two) == [Status.UNKNOWN] * 2
    for _ in range(3):
        operator.drain(settle=False)
    assert operator.left() == 2
    assert [len(stops(world, each)) for each in (one, two)] == [1, 1]
    world.begin()
    world.settle()
    assert status(world, one, two) == [Status.STOPPED] * 2
    assert operator.left() == 0
    check(world)


def test_a_control_plane_that_dies_in_the_middle_goes_on_afterwards(world, operator):
    made = [world.create() for _ in range(5)]
    done = []
    settle = world.store.settle

    class Dies:
        read, write = world.store.read, world.store.write

        def settle(self, decide):
            if len(done) == 2:
                raise Killed
            done.append(settle(decide))
            return done[-1]

    operator.only_say_so()
    operator.drains._store = Dies()
    with pytest.raises(Killed):
        operator.drains.run()
    assert len([action for action in world.actions() if action.action == "stop"]) == 2
    world.begin_conductor()
    Operator(world).sweep()
    assert status(world, *made) == [Status.STOPPED] * 5
    check(world)


def test_a_stop_that_the_engine_refuses_is_tried_again_by_the_next_round_and_not_at_once(world, operator):
    one = world.create()
    world.engines["one"].fail("stop", errors.EngineError(reason="not now"))
    operator.drain()
    assert status(world, one) == [Status.RUNNING]
    assert (len(stops(world, one)), operator.left()) == (1, 1)
    operator.sweep()
    assert status(world, one) == [Status.STOPPED]
    assert len(stops(world, one)) == 2
    assert world.container(one.uuid).drained
    check(world)


def test_how_far_it_is_and_once_that_nothing_is_left_is_said_in_the_log(world, operator, caplog):
    world.create()
    caplog.set_level(logging.INFO, "zun.conductor.drain")
    operator.drain()
    operator.sweep(), operator.sweep()
    assert [record.message for record in caplog.records] == [
        "host one is being drained: 1 of its containers are still to be stopped",
        "host one is drained: none of its containers runs",
    ]


def test_only_hosts_of_containers_are_drained(world, operator):
    with pytest.raises(errors.ServiceNotFound):
        operator.admin.drain("nowhere", COMPUTE, 600, None)
    with world.store.write() as tx:
        tx.add(Service(uuid="c", host="one", binary="zun-conductor"))
    with pytest.raises(errors.InvalidValue, match="zun-compute"):
        operator.admin.drain("one", "zun-conductor", 600, None)
    assert operator.service().drain_state is None
