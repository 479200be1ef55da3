"""Restart policies: on the host, at once, with back-off, through every kind of interruption."""

import pytest

from tests.conductor.draining import Operator
from tests.invariants import check
from zun import errors
from zun.domain.lifecycle import EngineState, Status
from zun.drivers.runtime.fake import FakeRuntime
from zun.drivers.runtime.fake_engine import Program

ALWAYS = {"restart_policy": {"Name": "always"}}
TWICE = {"restart_policy": {"Name": "on-failure", "MaximumRetryCount": "2"}}


def now(world):
    """Everything that needs no time is done."""
    while world.turn():
        pass


def die(world, container, code=1):
    world.engines["one"].die(container.uuid, code)
    now(world)
    return world.container(container.uuid)


def test_a_policy_restarts_after_a_moment_and_shows_it(world):
    container = world.create(**ALWAYS)
    assert die(world, container).status is Status.RESTARTING
    world.settle()
    again = world.container(container.uuid)
    assert (again.status, again.incarnation, again.restart_count) == (Status.RUNNING, 2, 1)
    check(world)


def test_without_a_policy_what_has_ended_stays_ended(world):
    assert die(world, world.create()).status is Status.STOPPED


@pytest.mark.parametrize(("code", "restarts"), [(0, 0), (3, 2)])
def test_on_failure_counts_its_tries(world, code, restarts):
    world.engines["one"].programs[("once",)] = Program(ends=code)
    container = world.create(command=["once"], **TWICE)
    ended = world.container(container.uuid)
    assert (ended.status, ended.restart_count, ended.incarnation) == (Status.STOPPED, restarts, restarts + 1)
    check(world)


def test_a_start_by_its_user_counts_anew(world):
    world.engines["one"].programs[("once",)] = Program(ends=3)
    container = world.create(command=["once"], **TWICE)
    again = world.do("start", container)
    assert (again.restart_count, again.incarnation) == (2, 6)


def test_short_lives_wait_longer_and_longer(world):
    container = world.create(**ALWAYS)
    found = []
    for _ in range(4):
        die(world, container)
        found += world.lives["one"].lanes.waits()
        world.clock.pass_time(found[-1])
        now(world)
    assert found == pytest.approx([0.1, 0.2, 0.4, 0.8], abs=0.001)


def test_a_long_life_makes_the_next_wait_short_again(world):
    container = world.create(**ALWAYS)
    for _ in range(5):
        die(world, container)
        world.clock.pass_time(world.lives["one"].lanes.waits()[0])
        now(world)
    world.clock.pass_time(11)
    die(world, container)
    assert world.lives["one"].lanes.waits() == pytest.approx([0.1], abs=0.001)


def test_a_start_that_fails_after_a_long_life_waits_longer_and_longer_too(world):
    container = world.create(**ALWAYS)
    world.clock.pass_time(3600)
    world.engines["one"].fail("start", errors.EngineError(reason="device busy"), times=4)
    die(world, container)
    found = []
    for _ in range(4):
        found += world.lives["one"].lanes.waits()
        world.clock.pass_time(found[-1])
        now(world)
    assert found == pytest.approx([0.1, 0.1, 0.2, 0.4], abs=0.001)
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING
    check(world)


def test_a_stop_during_the_back_off_ends_it(world):
    container = world.create(**ALWAYS)
    world.do("stop", container, settle=False)
    world.engines["one"].die(container.uuid, 1)
    world.lives["one"].beat("agent-events")
    world.lives["one"].lanes.run_one()
    assert world.lives["one"].lanes.waits(), "its policy waits to restart it"
    now(world)
    assert world.container(container.uuid).status is Status.STOPPED
    world.settle()
    stopped = world.container(container.uuid)
    assert (stopped.status, stopped.incarnation) == (Status.STOPPED, 1)
    check(world)


def test_a_deletion_by_force_during_the_back_off_ends_it(world):
    container = world.create(**ALWAYS)
    die(world, container)
    world.delete(container, force=True)
    assert not world.engines["one"].things
    check(world)


@pytest.mark.parametrize(("verb", "arguments"), [("kill", {"signal": "HUP"}), ("pause", {})])
def test_work_that_fails_on_a_dead_container_does_not_cost_it_its_restart(world, verb, arguments):
    container = world.create(**ALWAYS)
    world.do(verb, container, settle=False, **arguments)
    world.engines["one"].die(container.uuid, 1)
    world.lives["one"].beat("agent-events")
    while world.lives["one"].lanes.run_one():
        pass
    assert world.lives["one"].lanes.waits(), "its policy waits to restart it"
    world.settle()
    assert world.actions(container)[-1].message == "Error"
    check(world)
    # What is wanted of it after a pause that failed is what was wanted before.
    if verb == "kill":
        assert world.container(container.uuid).status is Status.RUNNING


def test_a_pause_that_fails_leaves_its_policy_in_force(world):
    container = world.create(**ALWAYS)
    world.engines["one"].fail("pause", errors.EngineError(reason="no freezer"))
    assert world.do("pause", container).status is Status.RUNNING
    die(world, container)
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING


def test_an_agent_that_dies_during_the_back_off_is_followed_by_one_that_restarts(world):
    container = world.create(**ALWAYS)
    die(world, container)
    world.restart()
    world.settle()
    assert (world.container(container.uuid).status, world.container(container.uuid).incarnation) == (Status.RUNNING, 2)
    check(world)


def test_what_ended_while_no_agent_lived_is_restarted_by_the_next(world):
    container = world.create(**ALWAYS)
    world.kill()
    world.engines["one"].die(container.uuid, 0)
    world.begin()
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING
    check(world)


def test_a_new_agent_touches_nothing_that_runs(world):
    container = world.create(**ALWAYS)
    world.restart()
    world.settle()
    again = world.container(container.uuid)
    assert (again.status, again.incarnation, again.started_at) == (Status.RUNNING, 1, container.started_at)


def test_tries_are_counted_on_over_an_agents_death(world):
    container = world.create(**TWICE)
    for _ in range(2):
        die(world, container, 3)
        world.settle()
    world.restart()
    die(world, container, 3)
    world.settle()
    assert (world.container(container.uuid).status, world.container(container.uuid).incarnation) == (Status.STOPPED, 3)


def test_restarts_need_no_conductor(world):
    container = world.create(**ALWAYS)
    for _ in range(20):
        world.lives["one"].wire.disturb("observe", "unheard")
    die(world, container)
    for wait in world.lives["one"].lanes.waits():
        world.clock.pass_time(wait)
    now(world)
    assert world.in_engine(container) == ["running"]
    world.lives["one"].wire.calm()
    world.settle()
    check(world)


def test_an_engine_that_comes_back_with_everything_ended_has_its_containers_restarted(world):
    kept, left = world.create(**ALWAYS), world.create()
    world.engines["one"].stop()
    now(world)
    world.engines["one"].start()
    world.lives["one"].runtime.miss_news()
    world.settle()
    assert [world.container(one.uuid).status for one in (kept, left)] == [Status.RUNNING, Status.STOPPED]
    check(world)


def test_a_container_whose_sandbox_died_is_restarted_in_it(world):
    container = world.create()
    world.engines["one"].die(container.sandbox_uuid, 1)
    world.settle()
    again = world.container(container.uuid)
    assert (again.status, again.incarnation) == (Status.RUNNING, 2)
    states = {thing.container_uuid: thing.state for thing in world.engines["one"].things.values()}
    assert set(states.values()) == {"running"}
    check(world)


def test_a_restart_that_meets_an_engine_away_is_made_when_it_is_back(world):
    container = world.create(**ALWAYS)
    die(world, container)
    world.engines["one"].stop(containers_end=False)
    world.clock.pass_time(1)
    now(world)
    world.engines["one"].start()
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING
    check(world)


def test_somebody_elses_pause_is_shown_and_left_alone(world):
    container = world.create(**ALWAYS)
    FakeRuntime(world.engines["one"]).pause(container.uuid)
    world.settle()
    assert world.container(container.uuid).status is Status.PAUSED
    check(world)


def refused(world):
    """A container that its engine has refused to start for all of three tries."""
    container = world.create(**ALWAYS)
    world.engines["one"].fail("start", errors.EngineError(reason="task 1f: already exists"), times=3)
    die(world, container)
    for _ in range(3):
        world.clock.pass_time(world.lives["one"].lanes.waits()[0])
        now(world)
    return container


def test_a_container_that_cannot_be_restarted_says_why_for_as_long_as_it_is_tried(world):
    container = refused(world)
    shown = world.container(container.uuid)
    assert shown.status is Status.RESTARTING
    assert shown.status_reason == "It could not be restarted: The container engine refused: task 1f: already exists"
    world.settle()
    again = world.container(container.uuid)
    assert (again.status, again.status_reason) == (Status.RUNNING, None)
    check(world)


def test_a_container_that_was_made_anew_and_then_refused_its_start_is_tried_again(world, monkeypatch):
    container = world.create(**ALWAYS)
    start, tries = FakeRuntime.start, []

    def made_anew(runtime, uuid, revision=None):
        tries.append(uuid)
        if len(tries) > 1:
            return start(runtime, uuid, revision)
        things = world.engines["one"].things
        thing = things.pop(runtime.inspect(uuid).engine_id)
        thing.engine_id, thing.state, thing.started_at, thing.finished_at, thing.exit_code = "f" * 64, EngineState.CREATED, None, None, None
        things[thing.engine_id] = thing
        raise errors.EngineError(reason="no room")

    monkeypatch.setattr(FakeRuntime, "start", made_anew)
    die(world, container)
    world.clock.pass_time(world.lives["one"].lanes.waits()[0])
    now(world)
    shown = world.container(container.uuid)
    assert (shown.status, shown.status_reason) == (
        Status.RESTARTING,
        "It could not be restarted: The container engine refused: no room",
    )
    world.settle()
    again = world.container(container.uuid)
    assert (again.status, again.status_reason, again.incarnation) == (Status.RUNNING, None, 2)
    check(world)


def test_what_is_stopped_on_purpose_says_nothing_of_the_restarts_before(world):
    container = refused(world)
    Operator(world).drain()
    stopped = world.container(container.uuid)
    assert (stopped.status, stopped.status_reason, stopped.error) == (Status.STOPPED, None, None)
    check(world)


def test_a_start_that_fails_after_failed_restarts_tells_only_of_itself(world):
    container = world.create(**TWICE)
    world.engines["one"].fail("start", errors.EngineError(reason="task 1f: already exists"), times=2)
    die(world, container)
    world.settle()
    given_up = world.container(container.uuid)
    assert given_up.status is Status.STOPPED
    assert given_up.status_reason == "It could not be restarted: The container engine refused: task 1f: already exists"
    world.engines["one"].fail("start", errors.EngineError(reason="no room"))
    world.do("start", container, settle=False)
    now(world)
    failed = world.container(container.uuid)
    assert (failed.status, failed.status_reason, failed.error) == (Status.ERROR, "The container engine refused: no room", None)
    check(world)


def test_a_container_that_cannot_be_restarted_can_be_deleted_by_force(world):
    world.delete(refused(world), force=True)
    assert not world.engines["one"].things
    check(world)


def test_a_container_that_cannot_be_started_is_in_error_with_the_reason_and_can_be_rebuilt(world):
    container = world.create()
    die(world, container)
    world.engines["one"].fail("start", errors.EngineError(reason="task 1f: already exists"))
    failed = world.do("start", container)
    assert (failed.status, failed.status_reason) == (Status.ERROR, "The container engine refused: task 1f: already exists")
    again = world.do("rebuild", container)
    assert (again.status, again.status_reason) == (Status.RUNNING, None)
    check(world)
