"""The same for capsules: every step of the work on a whole sandbox fails, is killed, cannot be undone; and every container is as one."""

from __future__ import annotations

import pytest

from tests.hands import Killed
from tests.invariants import check
from tests.world import ME, World
from zun import errors
from zun.compute import whole
from zun.domain.capsule import phase
from zun.domain.container import Container
from zun.domain.lifecycle import Status

S = Status
SHARED = {"volume_mounts": [{"volume": "cache", "destination": "/cache"}]}
VOLUMES = [{"name": "cache", "type": "empty", "medium": "", "size": None}]
INIT = {"init": True, "command": ["init"], **SHARED}

BROKEN = [
    pytest.param(verb, f"{step.name}:{when}", id=f"{verb}-{step.name}-{when}")
    for verb, steps in whole.SAGAS.items()
    for step in steps
    for when in ("before", "after")
]


def ask(world: World, verb: str) -> list[Container]:
    """A capsule of three whose creation, or deletion, has been accepted and not begun."""
    members = world.create_capsule(INIT, SHARED, {}, volumes=VOLUMES, settle=verb == "delete")
    if verb == "delete":
        world.verbs.delete_capsule(ME, world.sandbox(members[0]))
    return members


def break_once(world: World, point: str, error: BaseException) -> list[str]:
    """Have the step at a point fail, once. Returns the points that it failed at, as they come."""
    reached: list[str] = []

    def fault(at: str) -> None:
        if at == point and not reached:
            reached.append(at)
            raise error

    world.fault = fault
    return reached


def statuses(world: World, members: list[Container]) -> set[Status | None]:
    found = [world.container(one.uuid) for one in members]
    return {one.status if one else None for one in found}


def good(world: World, verb: str, members: list[Container]) -> bool:
    """Whether the work has led where it should: the first container is at work and the rest wait for it, or nothing is left."""
    if verb == "delete":
        return not any(world.rows().values())
    return [world.container(one.uuid).status for one in members] == [S.RUNNING, S.CREATED, S.CREATED]


def clean(world: World, members: list[Container]) -> None:
    world.fault = lambda point: None
    check(world)
    left = [one for one in members if world.container(one.uuid)]
    if left:
        world.verbs.delete_capsule(ME, world.sandbox(left[0]))
        world.settle()
    assert not any(world.rows().values())
    assert not world.engines["one"].things
    assert not list((world.folder / "one").glob("*"))


@pytest.mark.parametrize(("verb", "point"), BROKEN)
def test_a_step_that_fails_fails_all_of_them_together(world, verb, point):
    members = ask(world, verb)
    reached = break_once(world, point, errors.EngineError(reason="so the test orders"))
    world.settle()
    assert reached
    assert statuses(world, members) == {S.ERROR}
    status, reason = phase([world.container(one.uuid) for one in members])
    assert status is S.ERROR
    assert "so the test orders" in reason
    if verb == "create":
        assert not world.engines["one"].things, "a failed create leaves nothing"
        assert world.sandbox(members[0]).host is None
    clean(world, members)


@pytest.mark.parametrize(("verb", "point"), BROKEN)
def test_an_agent_that_is_killed_at_a_step_is_followed_by_one_that_ends_the_work(world, verb, point):
    members = ask(world, verb)
    reached = break_once(world, point, Killed())
    world.settle()
    assert reached
    assert good(world, verb, members)
    clean(world, members)


@pytest.mark.parametrize(("verb", "point"), BROKEN)
def test_work_waits_for_an_engine_that_does_not_answer(world, verb, point):
    members = ask(world, verb)
    engine = world.engines["one"]
    reached = break_once(world, point, errors.EngineUnavailable(reason="Connection refused"))
    world.settle()
    assert reached
    assert engine.up
    assert good(world, verb, members)
    clean(world, members)


@pytest.mark.parametrize(("verb", "point"), [param for param in BROKEN if param.values[0] == "create"])
def test_what_could_not_be_undone_is_undone_later(world, verb, point):
    members = ask(world, verb)
    undo_fails = [True]

    def fault(at: str) -> None:
        if at == point:
            raise errors.EngineError(reason="so the test orders")
        if at.endswith(":undo") and undo_fails[0]:
            raise errors.EngineError(reason="it will not be undone")

    world.fault = fault
    while world.turn():
        pass
    assert statuses(world, members) == {S.ERROR}
    assert world.sandbox(members[0]).host == "one", "the host is remembered while something may be left there"
    undo_fails[0] = False
    world.settle()
    assert world.sandbox(members[0]).host is None
    assert not world.engines["one"].things
    clean(world, members)


@pytest.mark.parametrize("call", ["ensure_container", "start", "inspect", "image"])
@pytest.mark.parametrize("after", [False, True], ids=["undone", "done"])
def test_a_call_whose_answer_is_lost_is_made_again(world, call, after):
    members = ask(world, "create")
    world.engines["one"].fail(call, errors.EngineUnavailable(reason="reset by peer"), after=after)
    world.settle()
    assert good(world, "create", members)
    clean(world, members)


@pytest.mark.parametrize("nth", [1, 2])
def test_a_refusal_in_the_middle_of_the_containers_undoes_those_before_it(world, nth):
    members = world.create_capsule({}, {}, {}, settle=False)
    engine, seen = world.engines["one"], []
    runtime = world.lives["one"].runtime
    make = runtime.ensure_container

    def refusing(spec):
        seen.append(spec.uuid)
        if len(seen) > nth:
            raise errors.EngineError(reason="no more")
        return make(spec)

    runtime.ensure_container = refusing
    world.settle()
    assert statuses(world, members) == {S.ERROR}
    assert f"Container {members[nth].name}: " in world.container(members[0].uuid).status_reason
    assert not engine.things
    clean(world, members)


@pytest.mark.parametrize("call", ["claim", "finish"])
@pytest.mark.parametrize("how", ["unheard", "unanswered", "twice"])
@pytest.mark.parametrize("verb", ["create", "delete"])
def test_a_lost_message_delays_the_work_and_loses_nothing(world, verb, call, how):
    world.lives["one"].wire.disturb(call, how) if verb == "create" else None
    members = ask(world, verb)
    if verb == "delete":
        world.lives["one"].wire.disturb(call, how)
    world.settle()
    assert good(world, verb, members)
    clean(world, members)
