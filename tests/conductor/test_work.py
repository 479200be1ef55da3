"""Handing out work and writing down how it ended."""

import pytest

from tests.invariants import check
from zun import errors
from zun.domain.action import ActionState
from zun.domain.lifecycle import EngineState, Observation, Status, Task
from zun.drivers.runtime.fake_engine import Program
from zun.interfaces.rpc import HostReport, Outcome
from zun.interfaces.runtime import HostFacts

REPORT = HostReport(facts=HostFacts(cpus=4, mem_total=4096), availability_zone="nova")


@pytest.fixture
def desk(make_world):
    """A conductor's desk, and no agent but the test itself, in its life "a"."""
    world = make_world(hosts=())
    world.desk.hello("one", "a", REPORT)
    world.desk.world = world
    return world.desk


def placed(desk, count=1):
    """Containers that wait for the work of host one."""
    made = [desk.world.create(settle=False) for _ in range(count)]
    desk.world.place.run()
    return made


def seen(container, state=EngineState.RUNNING, incarnation=1, **known):
    return Observation(container_uuid=container.uuid, state=state, incarnation=incarnation, engine_id="e", **known)


def finish(desk, work, container, *, epoch="a", state=EngineState.RUNNING, **known):
    desk.finish("one", epoch, Outcome(action_uuid=work.action.uuid, observations=[seen(container, state)], **known))


def alive(desk):
    """A container that runs on host one."""
    (container,) = placed(desk)
    (work,) = desk.claim("one", "a", [], 9).work
    finish(desk, work, container)
    return desk.world.container(container.uuid)


# --- claims -----------------------------------------------------------------------------------------


def test_a_claim_brings_the_action_its_sandbox_and_its_containers(desk):
    (container,) = placed(desk)
    (work,) = desk.claim("one", "a", [], 9).work
    assert (work.action.action, work.action.state, work.action.epoch, work.action.attempts) == ("create", ActionState.CLAIMED, "a", 1)
    assert work.charge.sandbox.uuid == container.sandbox_uuid
    assert [one.uuid for one in work.charge.containers] == [container.uuid]
    assert desk.world.container(container.uuid).task_state is Task.CREATING


def test_never_two_actions_of_one_sandbox_are_handed_out(desk):
    container = alive(desk)
    for verb in ("stop", "pause", "kill"):
        desk.world.do(verb, container, settle=False)
    (first,) = desk.claim("one", "a", [], 9).work
    assert first.action.action == "stop"
    assert desk.claim("one", "a", [first.action.uuid], 9).work == []


def test_no_more_is_handed_out_than_there_is_room_for_and_the_oldest_first(desk):
    made = placed(desk, 5)
    assert [work.action.container_uuid for work in desk.claim("one", "a", [], 2).work] == [container.uuid for container in made[:2]]
    assert desk.claim("one", "a", [], 0).work == []


def test_another_host_gets_nothing_of_it(desk):
    placed(desk)
    assert desk.claim("two", "b", [], 9).work == []


def test_a_claim_whose_answer_was_lost_is_answered_again(desk):
    placed(desk)
    lost, again = desk.claim("one", "a", [], 9).work, desk.claim("one", "a", [], 9).work
    assert [work.action.uuid for work in lost] == [work.action.uuid for work in again]
    assert again[0].action.attempts == 2


def test_work_of_an_earlier_life_is_handed_out_again(desk):
    placed(desk)
    (first,) = desk.claim("one", "a", [], 9).work
    desk.hello("one", "b", REPORT)
    (again,) = desk.claim("one", "b", [], 9).work
    assert (again.action.uuid, again.action.epoch) == (first.action.uuid, "b")


def test_a_life_that_another_has_followed_gets_nothing_more(desk):
    placed(desk)
    desk.hello("one", "b", REPORT)
    with pytest.raises(errors.Superseded):
        desk.claim("one", "a", [], 9)
    with pytest.raises(errors.Superseded):
        desk.heartbeat("one", "a", REPORT)
    assert len(desk.claim("one", "b", [], 9).work) == 1


def test_work_that_comes_back_again_and_again_comes_after_a_while(desk):
    placed(desk)
    attempts = [len(desk.claim("one", "a", [], 9).work) for _ in range(4)]
    assert attempts == [1, 1, 1, 0]
    desk.world.clock.pass_time(60)
    assert len(desk.claim("one", "a", [], 9).work) == 1


def test_a_clock_that_is_set_back_makes_no_wait_longer_than_the_longest(desk):
    placed(desk)
    (work,) = desk.claim("one", "a", [], 9).work
    desk.finish("one", "a", Outcome(action_uuid=work.action.uuid, reason="no", leftovers=["ensure_sandbox"]))
    assert desk.claim("one", "a", [], 9).work == []
    desk.world.clock.step(-3600)
    assert len(desk.claim("one", "a", [], 9).work) == 1


def test_what_a_deletion_has_overtaken_is_named(desk):
    container = alive(desk)
    desk.world.do("stop", container, settle=False)
    (work,) = desk.claim("one", "a", [], 9).work
    assert desk.claim("one", "a", [work.action.uuid], 9).cancelled == []
    desk.world.delete(container, force=True, settle=False)
    claimed = desk.claim("one", "a", [work.action.uuid], 9)
    assert (claimed.cancelled, claimed.work) == ([work.action.uuid], [])


# --- ends -------------------------------------------------------------------------------------------


def test_an_end_is_written_down_once(desk):
    (container,) = placed(desk)
    (work,) = desk.claim("one", "a", [], 9).work
    finish(desk, work, container)
    after = (desk.world.container(container.uuid), desk.world.actions(container))
    finish(desk, work, container, state=EngineState.EXITED, reason="said again, and otherwise")
    assert (desk.world.container(container.uuid), desk.world.actions(container)) == after
    assert after[0].status is Status.RUNNING
    assert (after[1][0].state, after[1][0].message) == (ActionState.DONE, None)


@pytest.mark.parametrize(("host", "epoch"), [("one", "older"), ("two", "a")])
def test_an_end_told_by_somebody_else_is_nobodys_news(desk, host, epoch):
    (container,) = placed(desk)
    (work,) = desk.claim("one", "a", [], 9).work
    desk.finish(host, epoch, Outcome(action_uuid=work.action.uuid, reason="not mine"))
    assert desk.world.container(container.uuid).status is Status.CREATING
    assert len(desk.world.open_actions()) == 1


def test_the_end_of_what_nobody_knows_is_dropped(desk):
    desk.finish("one", "a", Outcome(action_uuid="nothing"))


def test_a_failed_create_leaves_its_host_and_keeps_its_reason(desk):
    (container,) = placed(desk)
    (work,) = desk.claim("one", "a", [], 9).work
    desk.finish("one", "a", Outcome(action_uuid=work.action.uuid, reason="no such image"))
    failed = desk.world.container(container.uuid)
    assert (failed.status, failed.status_reason, failed.host, failed.task_state) == (Status.ERROR, "no such image", None, None)
    check(desk.world)


def test_a_create_of_which_nothing_was_seen_is_unknown_and_not_creating_for_ever(desk):
    (container,) = placed(desk)
    (work,) = desk.claim("one", "a", [], 9).work
    desk.finish("one", "a", Outcome(action_uuid=work.action.uuid))
    assert desk.world.container(container.uuid).status is Status.UNKNOWN
    desk.observe("one", "a", [seen(container)], [])
    assert desk.world.container(container.uuid).status is Status.RUNNING


@pytest.mark.parametrize("state", [state for state in EngineState if state not in (EngineState.RESTARTING, EngineState.UNKNOWN)])
def test_whatever_the_engine_shows_at_the_end_of_a_create_it_is_over(desk, state):
    (container,) = placed(desk)
    (work,) = desk.claim("one", "a", [], 9).work
    finish(desk, work, container, state=state)
    assert desk.world.container(container.uuid).status is not Status.CREATING


def test_what_could_not_be_undone_is_tried_again_later_and_later(desk):
    (container,) = placed(desk)
    waits = []
    for _ in range(9):
        (work,) = desk.claim("one", "a", [], 9).work
        desk.finish("one", "a", Outcome(action_uuid=work.action.uuid, reason="no", leftovers=["ensure_sandbox"]))
        (action,) = desk.world.open_actions()
        assert (action.state, action.message) == (ActionState.UNDOING, "Error")
        assert desk.claim("one", "a", [], 9).work == []
        waits.append((action.not_before - desk.world.clock.now).total_seconds())
        desk.world.clock.pass_time(waits[-1])
    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(4, abs=0.1)
    assert waits[-1] == pytest.approx(300, abs=0.1)
    (work,) = desk.claim("one", "a", [], 9).work
    assert work.action.state is ActionState.UNDOING
    desk.finish("one", "a", Outcome(action_uuid=work.action.uuid))
    assert desk.world.container(container.uuid).host is None
    assert not desk.world.open_actions()


def test_a_client_sees_an_action_end_when_it_failed_not_when_it_was_undone(desk):
    (container,) = placed(desk)
    (work,) = desk.claim("one", "a", [], 9).work
    desk.finish("one", "a", Outcome(action_uuid=work.action.uuid, reason="no", leftovers=["ensure_sandbox"]))
    first = desk.world.actions(container)[0].finish_time
    desk.world.clock.pass_time(60)
    (work,) = desk.claim("one", "a", [], 9).work
    desk.finish("one", "a", Outcome(action_uuid=work.action.uuid))
    assert desk.world.actions(container)[0].finish_time == first is not None


def test_what_an_engine_shows_of_something_that_is_being_undone_is_not_shown(desk):
    (container,) = placed(desk)
    (work,) = desk.claim("one", "a", [], 9).work
    desk.finish("one", "a", Outcome(action_uuid=work.action.uuid, reason="no", leftovers=["create_container"]))
    desk.observe("one", "a", [seen(container)], [])
    assert desk.world.container(container.uuid).status is Status.ERROR


# --- what the service does by itself ------------------------------------------------------------------


def test_auto_remove_deletes_what_has_ended(world):
    world.engines["one"].programs[("once",)] = Program(ends=0)
    container = world.create(command=["once"], auto_remove=True)
    assert container.status is Status.CREATING, "that was at its acceptance; now it is gone"
    assert not any(world.rows().values())
    check(world)


def test_auto_remove_lets_its_user_see_why_a_create_failed(world):
    container = world.create(image="nosuch", auto_remove=True)
    assert container.status is Status.ERROR
    assert "manifest unknown" in container.status_reason


def test_auto_remove_and_its_users_deletion_do_not_fall_over_each_other(world):
    container = world.create(auto_remove=True)
    world.delete(container, stop=True, settle=False)
    world.engines["one"].die(container.uuid, 0)
    world.settle()
    assert not any(world.rows().values())
    check(world)


def test_auto_heal_makes_anew_what_the_engine_has_lost(world):
    container = world.create(auto_heal=True)
    world.engines["one"].lose(container.uuid)
    world.settle()
    healed = world.container(container.uuid)
    assert (healed.status, healed.revision, healed.incarnation) == (Status.RUNNING, 1, 2)
    assert [action.action for action in world.actions(container)] == ["create", "rebuild"]
    check(world)


def test_a_healing_that_fails_is_an_error_and_not_tried_for_ever(world):
    container = world.create(auto_heal=True)
    del world.engines["one"].images["docker.io/library/busybox:latest"]
    world.engines["one"].lose(container.uuid)
    world.settle()
    world.scans()
    failed = world.container(container.uuid)
    assert failed.status is Status.ERROR
    assert "manifest unknown" in failed.status_reason
    assert [action.action for action in world.actions(container)] == ["create", "rebuild"]
    check(world)


def test_a_create_that_failed_is_not_healed(world):
    container = world.create(image="nosuch", auto_heal=True)
    assert container.status is Status.ERROR
    assert [action.action for action in world.actions(container)] == ["create"]


def test_without_auto_heal_a_lost_container_is_an_error_that_says_so(world):
    container = world.create()
    world.engines["one"].lose(container.uuid)
    world.settle()
    lost = world.container(container.uuid)
    assert (lost.status, lost.status_reason) == (Status.ERROR, f"No such container: {container.uuid} in the container engine")
    assert world.do("start", lost).status is Status.RUNNING
    check(world)
