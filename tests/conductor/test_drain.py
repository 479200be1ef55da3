"""A host that is taken out of service: whatever runs there is stopped, nothing begins, and what was stopped is known when it is back."""

import logging

import pytest
from msgspec.structs import replace

from tests.hands import Killed
from tests.invariants import check
from tests.world import DOWN_TIME, ME
from zun import errors
from zun.conductor import drain
from zun.conductor.admin import Admin
from zun.conductor.drain import Drain
from zun.domain.capsule import phase
from zun.domain.host import COMPUTE, DrainState, Service
from zun.domain.lifecycle import Desired, Status
from zun.drivers.inventory.local import LocalInventory
from zun.drivers.runtime.fake_engine import Program

FOREVER = {"Name": "always"}


class Operator:
    """Who drains and enables; a round is made when he has said so, and with :meth:`sweep`."""

    def __init__(self, world) -> None:
        self.world, self.hears = world, True
        inventory = LocalInventory(world.store, world.clock, DOWN_TIME)
        self.drains = Drain(world.store, clock=world.clock, poke=world._poke, agents=world.agents, down_time=DOWN_TIME)
        self.admin = Admin(
            world.store,
            inventory,
            clock=world.clock,
            configured=world.defaults.quota,
            service_down_time=DOWN_TIME,
            sweep=lambda: self.drains.run() if self.hears else None,
        )

    def only_say_so(self):
        """Write down that the host is drained; the process ends before anything comes of it."""
        self.hears = False
        self.drain(settle=False)
        self.hears = True

    def drain(self, host="one", timeout=600, settle=True):
        self.admin.drain(host, COMPUTE, timeout, "new disk")
        if settle:
            self.world.settle()

    def enable(self, host="one", restart=False):
        self.admin.enable(host, COMPUTE, restart=restart)
        self.world.settle()

    def sweep(self):
        self.drains.run()
        self.world.settle()

    def service(self, host="one"):
        with self.world.store.read() as tx:
            return tx.find(Service, {"host": host})[0]

    def left(self, host="one"):
        with self.world.store.read() as tx:
            return drain.count(tx, self.service(host))


@pytest.fixture
def operator(world):
    return Operator(world)


def status(world, *containers):
    return [world.container(one.uuid).status for one in containers]


def stops(world, container):
    return [action for action in world.actions(container) if action.action == "stop"]


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


# -- how long -------------------------------------------------------------------------------------


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


# -- when it is back ------------------------------------------------------------------------------


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
