"""Placing: every sandbox gets a host that can take it, or an Error that names the reason."""

import pytest
from msgspec.structs import replace

from tests.invariants import check
from tests.world import DOWN_TIME
from zun.domain.action import ActionState
from zun.domain.host import Service
from zun.domain.lifecycle import Status


def change_service(world, host, **changes):
    with world.store.write() as tx:
        tx.save(replace(tx.find(Service, {"host": host})[0], **changes))


def test_the_emptiest_host_is_chosen(make_world):
    world = make_world(hosts=("one", "two"))
    first, second = world.create(memory=1000), world.create(memory=1000)
    assert {first.host, second.host} == {"one", "two"}
    check(world)


def test_the_host_that_is_asked_for_is_taken(make_world):
    world = make_world(hosts=("one", "two"))
    assert {world.create(requested_host="two").host for _ in range(3)} == {"two"}


@pytest.mark.parametrize(
    ("asked", "filter_name"),
    [
        ({"availability_zone": "mars"}, "availability zone"),
        ({"runtime": "kata"}, "runtime"),
        ({"hints": {"label:disk": "ssd"}}, "label"),
        ({"memory": 7000}, "room"),
    ],
)
def test_without_a_valid_host_the_container_is_in_error_and_the_filter_is_named(world, asked, filter_name):
    container = world.create(**asked)
    assert container.status is Status.ERROR
    assert container.status_reason == f"There are not enough hosts available. The {filter_name} filter left none of 1."
    assert container.task_state is None
    assert container.host is None
    action = world.actions(container)[0]
    assert (action.state, action.message) == (ActionState.DONE, "Error")
    assert action.finish_time is not None
    check(world)


def test_a_host_that_is_silent_or_disabled_is_not_chosen(world):
    change_service(world, "one", disabled=True)
    assert "service filter" in world.create().status_reason
    change_service(world, "one", disabled=False)
    world.clock.pass_time(DOWN_TIME + 1)
    silent = world.create(settle=False)
    world.place.run()
    assert "service filter" in world.container(silent.uuid).status_reason


def test_a_conductor_that_is_deaf_lets_work_wait_for_hosts_until_it_has_heard_for_long_enough(world):
    world.hearing = lambda: None
    world.clock.pass_time(DOWN_TIME + 1)
    waiting, hopeless = world.create(settle=False), world.create(settle=False, availability_zone="mars")
    world.place.run()
    assert world.container(waiting.uuid).status is Status.CREATING
    assert "availability zone filter" in world.container(hopeless.uuid).status_reason
    heard_again = world.clock.now
    world.hearing = lambda: heard_again
    world.clock.pass_time(DOWN_TIME - 1)
    world.place.run()
    assert world.container(waiting.uuid).status is Status.CREATING
    world.heartbeats()
    world.settle()
    assert world.container(waiting.uuid).status is Status.RUNNING
    check(world)


def test_a_host_that_stays_silent_while_others_could_be_heard_is_down(world):
    waiting = world.create(settle=False)
    heard_again = world.clock.now
    world.hearing = lambda: heard_again
    world.clock.pass_time(DOWN_TIME + 1)
    world.place.run()
    assert "service filter" in world.container(waiting.uuid).status_reason


@pytest.mark.parametrize("verb", ["start", "reboot", "rebuild"])
def test_whatever_is_wanted_of_a_container_that_no_host_takes_it_ends_in_error(world, verb):
    container = world.create(image="nosuch")
    change_service(world, "one", disabled=True)
    again = world.do(verb, container)
    assert (again.status, again.task_state) == (Status.ERROR, None)
    assert "service filter" in again.status_reason
    check(world)


def test_without_any_host_the_reason_says_so(make_world):
    world = make_world(hosts=())
    assert "No compute host has reported yet." in world.create().status_reason


def test_a_host_is_not_filled_beyond_its_room(make_world):
    # 4096 MiB, given out once
    world = make_world(ram_allocation_ratio=1.0)
    ends = [world.create(memory=1500, settle=False) for _ in range(4)]
    world.settle()
    statuses = sorted(world.container(end.uuid).status for end in ends)
    assert statuses == [Status.ERROR, Status.ERROR, Status.RUNNING, Status.RUNNING]
    check(world)


def test_what_failed_on_a_host_gives_back_its_room(make_world):
    world = make_world(ram_allocation_ratio=1.0)
    failed = world.create(memory=4000, image="nosuch")
    assert (failed.status, failed.host) == (Status.ERROR, None)
    assert world.create(memory=4000).status is Status.RUNNING
    check(world)


def test_a_start_after_a_failed_create_is_placed_anew(world):
    world.fault = lambda point: 1 / 0 if point == "create_container:before" else None
    container = world.create()
    assert (container.status, container.host) == (Status.ERROR, None)
    world.fault = lambda point: None
    container = world.do("start", container)
    assert (container.status, container.host) == (Status.RUNNING, "one")
    check(world)


def test_one_host_that_cannot_be_poked_does_not_keep_the_others_waiting(make_world):
    world = make_world(hosts=("one", "two"))
    made = [world.create(requested_host=host, settle=False) for host in ("one", "two")]
    world.kill("one")
    world.place.run()
    world.lives["two"].beat("agent-claims")
    assert [world.container(container.uuid).host for container in made] == ["one", "two"]
    world.begin("one")
    world.settle()
    assert [world.container(container.uuid).status for container in made] == [Status.RUNNING, Status.RUNNING]


def test_two_placers_decide_once(world):
    container = world.create(settle=False)
    world.place.run()
    world.place.run()
    assert world.actions(container)[0].host == "one"
    world.settle()
    check(world)
    assert world.engines["one"].calls.count(("ensure_sandbox", container.sandbox_uuid)) == 1
