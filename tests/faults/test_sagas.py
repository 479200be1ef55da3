"""Every saga, every step: it fails once, it fails twice, it is repeated, it is killed and taken up again, its undoing fails too.

One helper, :func:`broken`, breaks a step of the work that a case asks for; what must hold afterwards is the same for all of them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.hands import Killed
from tests.invariants import check
from tests.world import ME, World
from zun import errors
from zun.compute.verbs import SAGAS
from zun.domain.action import ActionState
from zun.domain.container import Container
from zun.domain.lifecycle import Status

FILE = {"type": "bind", "source": base64.b64encode(b"hello").decode(), "destination": "/etc/hello"}

S = Status


@dataclass(frozen=True)
class Case:
    """Work of one kind: what is there before, how it is asked for, and where it leads if it goes well or a step of it fails."""

    name: str
    verb: str
    before: Callable[[World], Container | None]
    good: Status | None
    bad: frozenset[Status]
    arguments: tuple[tuple[str, bool], ...] = ()

    def ask(self, world: World, container: Container | None) -> Container:
        """Ask for the work, of which nothing is done yet."""
        if container is None:
            return world.create(mounts=[FILE], settle=False)
        if self.verb == "delete":
            world.delete(container, settle=False, **dict(self.arguments))
        elif self.verb == "resize_container":
            world.verbs.resize(ME, container, {"cpu": 0.4, "memory": 48})
        else:
            world.do(self.verb, container, settle=False)
        return container


def running(world: World) -> Container:
    return world.create(mounts=[FILE])


def created(world: World) -> Container:
    return world.create(mounts=[FILE], run=False)


def stopped(world: World) -> Container:
    return world.do("stop", running(world))


def paused(world: World) -> Container:
    return world.do("pause", running(world))


def lost(world: World) -> Container:
    """In Error, because the engine has lost it."""
    container = running(world)
    world.engines["one"].lose(container.uuid)
    world.settle()
    return world.container(container.uuid)


ERROR = frozenset({S.ERROR})

CASES = (
    Case("create", "create", lambda world: None, S.RUNNING, ERROR),
    Case("start", "start", stopped, S.RUNNING, ERROR),
    Case("first-start", "start", created, S.RUNNING, ERROR),
    Case("stop", "stop", running, S.STOPPED, frozenset({S.RUNNING, S.STOPPED})),
    Case("reboot", "reboot", running, S.RUNNING, frozenset({S.RUNNING, S.STOPPED})),
    Case("kill", "kill", running, S.STOPPED, frozenset({S.RUNNING, S.STOPPED})),
    Case("pause", "pause", running, S.PAUSED, frozenset({S.RUNNING, S.PAUSED})),
    Case("unpause", "unpause", paused, S.RUNNING, frozenset({S.RUNNING, S.PAUSED})),
    Case("rebuild", "rebuild", running, S.RUNNING, frozenset({S.RUNNING, S.ERROR})),
    Case("heal", "rebuild", lost, S.RUNNING, frozenset({S.RUNNING, S.ERROR})),
    Case("resize", "resize_container", running, S.RUNNING, frozenset({S.RUNNING})),
    Case("resize-stopped", "resize_container", stopped, S.STOPPED, frozenset({S.STOPPED})),
    Case("delete", "delete", stopped, None, ERROR),
    Case("delete-stop", "delete", running, None, ERROR, (("stop", True),)),
)
FORCED = Case("delete-force", "delete", running, None, frozenset(), (("force", True),))

BROKEN = [
    pytest.param(case, f"{step.name}:{when}", id=f"{case.name}-{step.name}-{when}")
    for case in CASES
    for step in SAGAS[case.verb]
    for when in ("before", "after")
]
FORCED_STEPS = [step.name for step in SAGAS["delete"]]


def test_every_saga_has_a_case():
    elsewhere = {"network_attach", "network_detach", "add_security_group", "remove_security_group"}  # test_networks.py
    assert {case.verb for case in CASES} == set(SAGAS) - elsewhere


# --- the helper ----------------------------------------------------------------------------------


class Fault:
    """Breaks the work at a point of its saga, a number of times, in every life of the agent."""

    def __init__(self, world: World, point: str, act: Callable[[], None], times: int) -> None:
        self.point, self.act, self.left, self.undo_fails = point, act, times, False
        self.reached = 0
        self._world = world

    def __call__(self, point: str) -> None:
        # The world's lives come and go; the one that begins next is broken in the same way.
        if point.endswith(":undo") and self.undo_fails:
            raise errors.EngineError(reason="it will not be undone")
        if point == self.point:
            self.reached += 1
            if self.left > 0:
                self.left -= 1
                self.act()


def refuse() -> None:
    raise errors.EngineError(reason="so the test orders")


def die() -> None:
    raise Killed


def broken(world: World, case: Case, point: str, act: Callable[[], None] = refuse, times: int = 1) -> tuple[Container, Fault]:
    """Ask for a case's work, of which the step at ``point`` will break."""
    before = case.before(world)
    fault = Fault(world, point, act, times)
    world.fault = fault
    return case.ask(world, before), fault


def clean(world: World, container: Container) -> None:
    """The world is sound, and after a deletion by force nothing is left of the container, anywhere."""
    check(world)
    world.fault = lambda point: None
    if world.container(container.uuid) is not None:
        if world.container(container.uuid).status is Status.PAUSED:
            world.do("unpause", container)
        world.delete(container, force=True)
    check(world)
    assert not world.engines["one"].things
    assert not any(world.rows().values())
    assert not list((world.folder / "one").glob("*"))


def status(world: World, container: Container) -> Status | None:
    found = world.container(container.uuid)
    return found.status if found else None


# --- it fails ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "point"), BROKEN)
def test_a_step_that_fails_once(world, case, point):
    container, fault = broken(world, case, point)
    world.settle()
    assert fault.reached
    assert status(world, container) in case.bad
    ended = world.actions(container)[-1]
    assert (ended.state, ended.message) == (ActionState.DONE, "Error")
    if case.name == "create":
        assert world.container(container.uuid).host is None
        assert "so the test orders" in world.container(container.uuid).status_reason
        assert not world.engines["one"].things, "a failed create leaves nothing"
    clean(world, container)


@pytest.mark.parametrize(("case", "point"), BROKEN)
def test_a_step_that_fails_twice_and_goes_well_when_it_is_asked_for_again(world, case, point):
    container, _ = broken(world, case, point, times=2)
    world.settle()
    for _ in range(2):
        found = world.container(container.uuid)
        if found is None or found.status is case.good:
            break
        # What has failed as a create is tried again by a start.
        again = case if case.verb != "create" else CASES[1]
        if found.status is Status.ERROR and case.verb == "delete":
            world.delete(found, **dict(case.arguments))
        else:
            again.ask(world, found)
            world.settle()
        check(world)
    assert status(world, container) in {case.good, Status.ERROR} if case.verb == "rebuild" else {case.good}
    clean(world, container)


@pytest.mark.parametrize("step", FORCED_STEPS)
def test_a_forced_deletion_forgets_the_container_whatever_fails(world, step):
    container, fault = broken(world, FORCED, f"{step}:before")
    world.settle()
    assert fault.reached
    assert status(world, container) is None
    world.scans()
    clean(world, container)


# --- it is killed --------------------------------------------------------------------------------


@pytest.mark.parametrize("deaths", [1, 2])
@pytest.mark.parametrize(("case", "point"), BROKEN)
def test_an_agent_that_is_killed_at_a_step_is_followed_by_one_that_ends_the_work(world, case, point, deaths):
    container, fault = broken(world, case, point, die, times=deaths)
    world.settle()
    assert fault.reached > 0 or fault.left == 0
    assert fault.left == 0 or point.endswith("after")
    assert status(world, container) is case.good
    clean(world, container)


@pytest.mark.parametrize(("case", "point"), BROKEN)
def test_a_conductor_that_is_killed_too_has_forgotten_nothing(world, case, point):
    def everything_dies() -> None:
        world.begin_conductor()
        raise Killed

    container, _ = broken(world, case, point, everything_dies)
    world.settle()
    assert status(world, container) is case.good
    clean(world, container)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("call", ["claim", "finish"])
@pytest.mark.parametrize("how", ["unheard", "unanswered", "twice"])
def test_a_lost_message_delays_the_work_and_loses_nothing(world, case, call, how):
    before = case.before(world)
    world.lives["one"].wire.disturb(call, how)
    container = case.ask(world, before)
    world.settle()
    assert status(world, container) is case.good
    clean(world, container)


# --- its undoing fails ---------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "point"), [param for param in BROKEN if any(step.undo for step in SAGAS[param.values[0].verb])])
def test_what_could_not_be_undone_is_undone_later(world, case, point):
    container, fault = broken(world, case, point)
    fault.undo_fails = True
    while world.turn():
        pass
    undoing = [action for action in world.open_actions() if action.state is ActionState.UNDOING]
    begun = [step for step in SAGAS[case.verb][: 1 + [s.name for s in SAGAS[case.verb]].index(point.split(":")[0])] if step.undo]
    assert len(undoing) == bool(begun)
    assert all(action.finish_time for action in undoing), "its user sees it ended"
    if case.verb == "create":
        assert status(world, container) is Status.ERROR
        assert world.container(container.uuid).host == "one", "the host is remembered while something may be left there"
    world.clock.pass_time(600)
    world.heartbeats()
    while world.turn():
        pass
    assert len([action for action in world.open_actions() if action.state is ActionState.UNDOING]) == bool(begun), "it was tried again"
    fault.undo_fails = False
    world.settle()
    assert status(world, container) in case.bad
    if case.verb == "create":
        assert not world.engines["one"].things
    clean(world, container)


@pytest.mark.parametrize("force", [False, True])
def test_a_deletion_ends_an_undoing(world, force):
    container, fault = broken(world, CASES[0], "start_container:before")
    fault.undo_fails = True
    while world.turn():
        pass
    world.delete(container, force=force)
    assert status(world, container) is None
    clean(world, container)


def test_an_agent_that_is_killed_while_undoing_is_followed_by_one_that_undoes(world):
    container, fault = broken(world, CASES[0], "start_container:before")
    fault.undo_fails = True
    while world.turn():
        pass
    fault.undo_fails, fault.point, fault.act, fault.left = False, "create_container:undo", die, 1
    world.settle()
    assert fault.left == 0
    assert (status(world, container), world.container(container.uuid).host) == (Status.ERROR, None)
    clean(world, container)


# --- the engine is away --------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "point"), BROKEN)
def test_work_waits_for_an_engine_that_does_not_answer(world, case, point):
    engine = world.engines["one"]

    def go_away() -> None:
        engine.stop(containers_end=False)
        raise errors.EngineUnavailable(reason="Connection refused")

    container, _ = broken(world, case, point, go_away)
    while world.turn():
        pass
    assert world.open_actions(), "it waits"
    engine.start()
    world.settle()
    assert status(world, container) is case.good
    assert world.actions(container)[-1].message is None if case.good else True
    clean(world, container)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_engine_that_stays_away_fails_the_work_and_leaves_nothing_when_it_is_back(world, case):
    before = case.before(world)
    container = case.ask(world, before)
    world.engines["one"].stop(containers_end=False)
    world.settle(longest=400)
    assert all(action.state is ActionState.UNDOING or action.action == "resize_container" for action in world.open_actions())
    world.engines["one"].start()
    world.settle()
    world.heartbeats()
    world.settle()
    clean(world, container)


@pytest.mark.parametrize("call", ["inspect", "start", "ensure_container", "ensure_sandbox", "image"])
@pytest.mark.parametrize("after", [False, True], ids=["undone", "done"])
@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: case.name)
def test_a_call_whose_answer_is_lost_is_made_again(world, case, call, after):
    before = case.before(world)
    container = case.ask(world, before)
    world.engines["one"].fail(call, errors.EngineUnavailable(reason="reset by peer"), after=after)
    world.settle()
    assert status(world, container) is Status.RUNNING
    clean(world, container)
