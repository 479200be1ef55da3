"""Silent hosts: their containers are Unknown, and settled again by the first word of them."""

import pytest
from msgspec.structs import replace

from tests.invariants import check
from tests.world import DOWN_TIME
from zun.domain.host import Service
from zun.domain.lifecycle import Status


def silence(world):
    world.clock.pass_time(DOWN_TIME + 1)
    world.sweep.run()


def test_a_host_that_speaks_is_left_alone(world):
    container = world.create()
    world.sweep.run()
    assert world.container(container.uuid).status is Status.RUNNING


def test_the_containers_of_a_silent_host_are_unknown_and_say_why(make_world):
    world = make_world(hosts=("one", "two"))
    lost, kept = world.create(requested_host="one"), world.create(requested_host="two")
    world.clock.pass_time(DOWN_TIME + 1)
    world.lives["two"].beat("agent-heartbeat")
    world.sweep.run()
    assert world.container(lost.uuid).status is Status.UNKNOWN
    assert world.container(lost.uuid).status_reason == "Host one does not answer."
    assert world.container(kept.uuid).status is Status.RUNNING


@pytest.mark.parametrize("verb", [None, "pause", "stop"])
def test_an_agent_that_was_only_cut_off_settles_them_with_its_next_heartbeat(world, verb):
    container = world.create()
    if verb:
        container = world.do(verb, container)
    silence(world)
    assert world.container(container.uuid).status is Status.UNKNOWN
    world.heartbeats()
    world.settle()
    assert (world.container(container.uuid).status, world.container(container.uuid).status_reason) == (container.status, None)
    check(world)


def test_a_new_agent_settles_them_with_its_first_scan(world):
    container = world.create()
    world.kill()
    silence(world)
    world.engines["one"].die(container.uuid, 1)
    world.begin()
    world.settle()
    assert world.container(container.uuid).status is Status.STOPPED
    check(world)


def test_an_engine_that_was_away_for_long_is_a_silent_host_until_it_is_back(world):
    container = world.create()
    world.engines["one"].stop(containers_end=False)
    world.clock.pass_time(DOWN_TIME + 1)
    world.heartbeats()
    world.sweep.run()
    assert world.container(container.uuid).status is Status.UNKNOWN
    world.engines["one"].start()
    world.heartbeats()
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING
    check(world)


def test_what_a_silent_host_had_in_hand_is_done_when_it_is_back(world):
    container = world.create()
    world.kill()
    world.mute = True
    world.do("stop", container, settle=False)
    silence(world)
    assert world.container(container.uuid).status is Status.UNKNOWN
    world.mute = False
    world.begin()
    world.settle()
    assert world.container(container.uuid).status is Status.STOPPED
    check(world)


def test_a_failed_container_stays_in_error_on_a_silent_host(world):
    container = world.do("stop", world.create())
    world.engines["one"].programs[()] = world.engines["one"].things[container.engine_id].program.__class__(fails="no such file")
    world.engines["one"].things[container.engine_id].program = world.engines["one"].programs[()]
    assert world.do("start", container).status is Status.ERROR
    silence(world)
    assert world.container(container.uuid).status is Status.ERROR


def test_a_conductor_that_was_deaf_gives_hosts_their_time_before_it_calls_them_down(world):
    container = world.create()
    world.hearing = lambda: None
    silence(world)
    assert world.container(container.uuid).status is Status.RUNNING
    heard_again = world.clock.now
    world.hearing = lambda: heard_again
    world.clock.pass_time(DOWN_TIME - 1)
    world.sweep.run()
    assert world.container(container.uuid).status is Status.RUNNING
    world.clock.pass_time(2)
    world.sweep.run()
    assert world.container(container.uuid).status is Status.UNKNOWN


def test_what_an_operator_says_of_a_host_holds_although_nothing_is_heard(world):
    container = world.create()
    world.hearing = lambda: None
    with world.store.write() as tx:
        tx.save(replace(tx.find(Service)[0], forced_down=True))
    world.sweep.run()
    assert world.container(container.uuid).status is Status.UNKNOWN
