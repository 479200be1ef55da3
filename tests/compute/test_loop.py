"""One life of an agent: what it begins with, what it never loses, and when it does nothing more."""

import pytest

from tests.hands import Clock, Killed
from tests.invariants import check
from zun import errors
from zun.domain.action import ActionState
from zun.domain.lifecycle import EngineState, Status
from zun.drivers.runtime.fake import FakeRuntime
from zun.drivers.runtime.fake_engine import Program


def now(world):
    while world.turn():
        pass


def test_a_life_that_cannot_begin_yet_begins_later(world):
    container = world.create()
    world.kill()
    world.engines["one"].stop(containers_end=False)
    world.begin()
    world.do("stop", container, settle=False)
    now(world)
    assert world.open_actions()
    world.engines["one"].start()
    world.settle()
    assert world.container(container.uuid).status is Status.STOPPED


@pytest.mark.parametrize("call", ["hello", "claim"])
@pytest.mark.parametrize("how", ["unheard", "unanswered", "twice"])
def test_a_life_begins_although_its_first_words_are_lost(world, call, how):
    container = world.create()
    world.kill()
    world.begin()
    world.lives["one"].wire.disturb(call, how)
    world.do("stop", container)
    assert world.container(container.uuid).status is Status.STOPPED


def test_a_fault_of_ours_ends_the_action_and_not_the_agent(world):
    container = world.create()

    class Odd(Exception):
        """No error of the service."""

    world.engines["one"].fail("inspect", Odd())
    world.engines["one"].fail("stop", Odd("never thought of"))
    stopped = world.do("stop", container)
    assert (stopped.status, stopped.task_state) == (Status.RUNNING, None)
    assert not world.open_actions()
    world.settle()
    assert world.do("stop", container).status is Status.STOPPED
    check(world)


def test_the_end_of_work_is_looked_at_until_the_engine_answers(world):
    container = world.create(settle=False, run=False)
    world.fault = lambda point: (
        world.engines["one"].fail("inspect", errors.EngineUnavailable(reason="reset"), times=3)
        if point == "start_container:after"
        else None
    )
    now(world)
    assert world.container(container.uuid).status is Status.CREATING, "it waits"
    world.settle()
    assert world.container(container.uuid).status is Status.CREATED
    assert world.engines["one"].calls.count(("ensure_container", container.uuid)) == 1, "it was only looked at again"
    check(world)


def test_what_a_start_has_shown_needs_no_other_look(world):
    container = world.create(settle=False)
    world.fault = lambda point: (
        world.engines["one"].fail("inspect", errors.EngineUnavailable(reason="reset"), times=3)
        if point == "start_container:after"
        else None
    )
    now(world)
    assert world.container(container.uuid).status is Status.RUNNING
    world.settle()
    check(world)


def test_a_fault_outside_of_every_step_ends_the_action_too(make_world):
    class Odd(Clock):
        """A clock that stops working once."""

        stands = False

        def __call__(self):
            if self.stands:
                self.stands = False
                raise OSError("no time")
            return super().__call__()

    clock = Odd()
    world = make_world(clock=clock)
    container = world.create()
    world.fault = lambda point: setattr(clock, "stands", point == "stop_container:after")
    world.do("stop", container)
    assert not world.open_actions()
    assert world.actions(container)[-1].message == "Error"
    world.fault = lambda point: None
    world.scans()
    assert world.container(container.uuid).status is Status.STOPPED
    check(world)


def test_what_was_said_while_nobody_listened_is_said_again(world):
    """News that arrives while work is under way says nothing; if the work's end shows nothing either, it is told once more."""
    container = world.create()
    agent = world.lives["one"]
    world.do("pause", container, settle=False)
    world.engines["one"].die(container.uuid, 1)
    agent.beat("agent-events", "agent-claims")
    agent.runtime.miss_news()
    world.fault = lambda point: (
        world.engines["one"].fail("inspect", errors.EngineError(reason="no")) if point == "pause_container:before" else None
    )
    agent.lanes.run_one()
    agent.beat("outbox")
    assert world.container(container.uuid).status is Status.RUNNING
    world.settle()
    assert world.container(container.uuid).status is Status.STOPPED
    check(world)


def test_what_was_in_hand_is_not_handed_out_again_while_its_outcome_waits_to_be_heard(world):
    container = world.create()
    for _ in range(3):
        world.lives["one"].wire.disturb("finish", "unheard")
    world.do("stop", container, settle=False)
    now(world)
    world.lives["one"].beat("agent-claims", "agent-claims")
    now(world)
    assert world.engines["one"].calls.count(("stop", container.uuid)) == 1
    world.settle()
    assert world.engines["one"].calls.count(("stop", container.uuid)) == 1
    assert world.container(container.uuid).status is Status.STOPPED


def test_an_agent_that_dies_with_an_outcome_untold_is_followed_by_one_that_tells_it(world):
    container = world.create()
    world.do("kill", container, settle=False)
    for _ in range(9):
        world.lives["one"].wire.disturb("finish", "unheard")
    now(world)
    assert world.in_engine(container) == ["exited"]
    world.restart()
    world.settle()
    (action,) = [action for action in world.actions(container) if action.action == "kill"]
    assert (action.state, action.message, action.attempts) == (ActionState.DONE, None, 2), "done twice is done once"
    check(world)


def test_of_two_lives_the_first_does_nothing_more(world):
    container = world.create(restart_policy={"Name": "always"})
    first = world.lives["one"]
    world.begin()
    first.beat("agent-claims")
    world.do("stop", container)
    first.beat("agent-events", "agent-scan", "agent-heartbeat", "agent-claims")
    while first.work():
        pass
    assert not first.lanes.waits(), "it restarts nothing"
    assert world.in_engine(container) == ["exited"]
    world.settle()
    assert world.container(container.uuid).status is Status.STOPPED
    check(world)


def test_a_first_life_that_is_in_the_middle_of_work_ends_it_and_is_not_believed(world):
    container = world.create(settle=False)
    first = world.lives["one"]

    def takeover(point):
        if point == "ensure_sandbox:after" and world.lives["one"] is first:
            world.begin()

    world.fault = takeover
    now(world)
    while first.work():
        pass
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING
    check(world)


def test_a_container_that_waits_for_its_first_start_survives_the_loss_of_its_sandbox(world):
    container = world.create(run=False)
    for uuid in (container.uuid, container.sandbox_uuid):
        assert any(thing.spec.uuid == uuid for thing in world.engines["one"].things.values())
    world.engines["one"].lose(container.sandbox_uuid)
    world.settle()
    started = world.do("start", container)
    assert (started.status, started.status_reason) == (Status.RUNNING, None)
    check(world)


def test_the_loss_of_a_sandbox_in_the_middle_of_that_is_no_worse(world):
    container = world.create(run=False)
    world.engines["one"].lose(container.sandbox_uuid)
    died = []

    def fault(point):
        if point == "ensure_sandbox:after" and not died:
            died.append(point)
            raise Killed

    world.fault = fault
    assert world.do("start", container).status is Status.RUNNING
    check(world)


@pytest.mark.parametrize(
    ("outside", "status"), [(EngineState.PAUSED, Status.PAUSED), (EngineState.MISSING, Status.ERROR), (EngineState.EXITED, Status.STOPPED)]
)
def test_whatever_happens_just_before_the_end_of_a_create_it_is_over(world, outside, status):
    engine = world.engines["one"]

    def meddle(point):
        if point == "start_container:after":
            uuid = world.containers()[0].uuid
            match outside:
                case EngineState.PAUSED:
                    FakeRuntime(engine).pause(uuid)
                case EngineState.MISSING:
                    engine.lose(uuid)
                case EngineState.EXITED:
                    engine.die(uuid, 1)

    world.fault = meddle
    assert world.create().status is status
    check(world)


def test_a_reboot_of_what_cannot_start_does_not_stay_restarting(world):
    world.engines["one"].programs[("nothing",)] = Program(fails="no such file")
    container = world.create(run=False, command=["nothing"])
    rebooted = world.do("reboot", container)
    assert rebooted.status is Status.CREATED
    assert world.actions(container)[-1].message == "Error"
    check(world)


def test_a_create_that_failed_is_forgotten(world):
    container = world.create(image="nosuch")
    looks = world.engines["one"].calls.count(("inspect", container.uuid))
    world.scans()
    assert world.engines["one"].calls.count(("inspect", container.uuid)) == looks


def test_a_rebuild_that_fails_leaves_the_old_container_running(world):
    container = world.create()
    world.fault = lambda point: 1 / 0 if point == "create_container:after" else None
    kept = world.do("rebuild", container)
    assert (kept.status, kept.engine_id) == (Status.RUNNING, container.engine_id)
    assert world.in_engine(container) == ["running"]
    world.fault = lambda point: None
    assert world.do("reboot", kept).engine_id == container.engine_id, "only a rebuild makes another one"
    check(world)


def test_a_death_that_happens_while_nobody_listens_is_seen_when_somebody_does(world):
    container = world.create()
    world.engines["one"].stop(containers_end=False)
    now(world)
    world.engines["one"].die(container.uuid, 5)
    world.lives["one"].runtime.miss_news()
    world.engines["one"].start()
    now(world)
    assert world.container(container.uuid).status is Status.STOPPED, "without waiting for the next scan"
    check(world)


def test_an_agent_without_threads_is_stopped_like_any_other(world):
    world.create()
    world.lives["one"].loop.stop()
    assert not any(pulse.alive for pulse in world.lives["one"].pulses.values())
