"""A host that is taken out of service: whatever runs there is stopped, and nothing begins."""

import pytest

from tests.conductor.draining import FOREVER, Operator, operator, status, stops
from tests.invariants import check
from tests.world import ME
from zun import errors
from zun.domain.capsule import phase
from zun.domain.host import COMPUTE, DrainState
from zun.domain.lifecycle import Status
from zun.drivers.runtime.fake_engine import Program

__all__ = ["operator"]


# -- what runs ------------------------------------------------------------------------------------


def test_everything_that_runs_is_stopped_and_the_rest_left_alone(world, operator):
    runs, frozen, stopped, made = world.create(), world.create(), world.create(), world.create(run=False)
    world.do("pause", frozen), world.do("stop", stopped)
    operator.drain(settle=False)
    assert operator.left() == 2
    world.settle()
    assert status(world, runs, frozen, stopped, made) == [Status.STOPPED] * 3 + [Status.CREATED]
    assert operator.left() == 0
    assert [len(stops(world, one)) for one in (runs, frozen, stopped, made)] == [1, 1, 1, 0]
    assert [bool(world.container(one.uuid).drained) for one in (runs, frozen, stopped, made)] == [True, True, False, False]
    check(world)


def test_the_host_is_disabled_until_it_is_enabled(world, operator):
    operator.drain()
    service = operator.service()
    assert (service.disabled, service.disabled_reason, service.drain_state) == (True, "new disk", DrainState.DRAINING)
    assert "service filter" in world.create().status_reason
    world.heartbeats(), world.restart(), world.settle()
    assert operator.service().drain_state is DrainState.DRAINING
    operator.enable()
    service = operator.service()
    assert (service.disabled, service.disabled_reason, service.drain_state, service.drain_deadline) == (False, None, None, None)
    assert world.create().status is Status.RUNNING


def test_no_policy_brings_a_drained_container_back(world, operator):
    one = world.create(restart_policy=FOREVER)
    operator.drain()
    world.restart(), world.settle(), world.scans()
    assert status(world, one) == [Status.STOPPED]
    assert world.in_engine(one) == ["exited"]
    check(world)


def test_one_that_crashes_again_and_again_is_stopped_while_it_waits_for_its_next_life(world, operator):
    one = world.create(restart_policy=FOREVER)
    world.engines["one"].die(one.uuid, 1)
    world.turn()
    assert status(world, one) == [Status.RESTARTING]
    operator.drain(settle=False)
    assert operator.left() == 1
    world.settle()
    assert status(world, one) == [Status.STOPPED]
    world.clock.pass_time(300)
    world.scans()
    assert status(world, one) == [Status.STOPPED]
    check(world)


def test_a_reboot_that_waits_is_done_and_undone(world, operator):
    one = world.create()
    world.do("reboot", one, settle=False)
    assert status(world, one) == [Status.RESTARTING]
    operator.drain()
    assert status(world, one) == [Status.STOPPED]
    check(world)


def test_auto_remove_goes_with_its_container(world, operator):
    one = world.create(auto_remove=True)
    operator.drain()
    assert world.container(one.uuid) is None
    operator.enable(restart=True)
    assert operator.service().drain_state is None
    check(world)


def test_a_stop_that_waits_already_is_not_asked_for_again_and_stays_the_users(world, operator):
    one = world.create()
    world.do("stop", one, settle=False)
    operator.drain()
    assert len(stops(world, one)) == 1
    operator.enable(restart=True)
    assert status(world, one) == [Status.STOPPED]


def test_containers_of_other_hosts_are_no_business_of_it(make_world):
    world = make_world(hosts=("one", "two"))
    operator = Operator(world)
    here, there = world.create(requested_host="one"), world.create(requested_host="two")
    operator.drain("one")
    assert status(world, here, there) == [Status.STOPPED, Status.RUNNING]
    assert world.create().host == "two"


# -- what is about to run -------------------------------------------------------------------------


def test_a_start_that_waits_is_followed_by_a_stop(world, operator):
    one = world.do("stop", world.create())
    world.do("start", one, settle=False)
    operator.drain(settle=False)
    assert operator.left() == 1
    world.settle()
    assert status(world, one) == [Status.STOPPED]
    operator.enable(restart=True)
    assert status(world, one) == [Status.RUNNING]
    check(world)


def test_a_create_that_no_host_has_begun_goes_to_another_host(make_world):
    world = make_world(hosts=("one", "two"))
    operator = Operator(world)
    operator.admin.disable("two", COMPUTE, None)
    plain, (member, _) = world.create(settle=False), world.create_capsule({}, {}, settle=False)
    world.place.run()
    assert world.container(plain.uuid).host == world.container(member.uuid).host == "one"
    operator.admin.enable("two", COMPUTE)
    operator.drain("one")
    assert [(world.container(one.uuid).host, world.container(one.uuid).status) for one in (plain, member)] == [("two", Status.RUNNING)] * 2
    check(world)


def test_where_there_is_no_other_host_it_says_so(world, operator):
    one = world.create(settle=False)
    world.place.run()
    operator.drain()
    assert status(world, one) == [Status.ERROR]
    assert "service filter" in world.container(one.uuid).status_reason
    assert operator.left() == 0
    check(world)


def test_a_create_that_a_host_has_begun_is_finished_and_stopped(world, operator):
    seen = []

    def drain_now(point):
        if point == "pull_image:before" and not seen:
            seen.append(point)
            operator.drain(settle=False)
            assert operator.left() == 1

    world.fault = drain_now
    one = world.create()
    assert seen
    assert status(world, one) == [Status.STOPPED]
    assert world.container(one.uuid).drained
    operator.enable(restart=True)
    assert status(world, one) == [Status.RUNNING]
    check(world)


def test_a_create_that_fails_on_a_drained_host_leaves_nothing_there(world, operator):
    world.fault = lambda point: operator.drain(settle=False) if point == "pull_image:before" else None
    one = world.create(image="no")
    assert status(world, one) == [Status.ERROR]
    assert world.container(one.uuid).host is None
    assert operator.left() == 0
    check(world)


@pytest.mark.parametrize(("first", "verb"), [("stop", "start"), (None, "reboot"), (None, "rebuild"), ("pause", "unpause")])
def test_users_start_nothing_on_a_host_that_is_drained(world, operator, first, verb):
    one = world.create()
    before = world.do(first, one) if first else world.container(one.uuid)
    operator.only_say_so()
    with pytest.raises(errors.HostDraining, match=f"Cannot {verb} container {one.uuid}: its host is being taken out of service"):
        world.do(verb, one)
    assert world.container(one.uuid) == before
    operator.enable()
    assert world.do(verb, one).status is Status.RUNNING


def test_a_rebuild_of_what_does_not_run_is_no_start(world, operator):
    one = world.create()
    operator.drain()
    assert world.do("rebuild", one).status is Status.CREATED
    assert operator.left() == 0
    operator.enable(restart=True)
    assert status(world, one) == [Status.RUNNING]


def test_a_disabled_host_lets_its_containers_start(world, operator):
    one = world.do("stop", world.create())
    operator.admin.disable("one", COMPUTE, None)
    assert world.do("start", one).status is Status.RUNNING


def test_no_container_is_added_to_a_capsule_there(world, operator):
    (one,) = world.create_capsule({})
    operator.drain()
    with pytest.raises(errors.HostDraining, match="Cannot add a container to capsule"):
        world.accept.add_container(ME, world.sandbox(one), {"image": "busybox"})
    assert len(world.containers()) == 1


# -- capsules -------------------------------------------------------------------------------------


def test_all_containers_of_a_capsule_are_stopped_and_come_back(world, operator):
    members = world.create_capsule({}, {"restart_policy": FOREVER}, {})
    operator.drain()
    assert status(world, *members) == [Status.STOPPED] * 3
    operator.enable(restart=True)
    assert status(world, *members) == [Status.RUNNING] * 3
    assert operator.service().drain_state is None
    check(world)


@pytest.mark.parametrize(("heeds", "shown"), [(0, Status.CREATED), (None, Status.CREATING)])
def test_those_that_wait_for_their_turn_do_not_get_it_until_the_host_is_back(world, operator, heeds, shown):
    world.engines["one"].programs[()] = Program(heeds_term=heeds)
    first, *others = world.create_capsule({"init": True}, {}, {})
    assert status(world, first, *others) == [Status.RUNNING, Status.CREATED, Status.CREATED]
    operator.drain()
    world.scans()
    assert status(world, first, *others) == [Status.STOPPED, Status.CREATED, Status.CREATED]
    assert phase(world.containers()) == (shown, None), "it has not failed"
    assert operator.left() == 0
    operator.enable(restart=True)
    assert status(world, first, *others) == [Status.RUNNING, Status.CREATED, Status.CREATED]
    world.engines["one"].die(first.uuid, 0)
    world.settle()
    assert status(world, *others) == [Status.RUNNING] * 2
    check(world)
