"""Work on images: every step of it fails, is killed and taken up again, loses its messages, meets an engine that is away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.hands import Killed
from tests.invariants import check
from tests.world import ME, World
from zun import errors
from zun.compute.images import SAGAS
from zun.domain.action import Action, ActionState
from zun.domain.host_image import Image, ImageState, own_name
from zun.domain.lifecycle import Status
from zun.interfaces.runtime import EngineImage

WEB = "registry.example/team/web:1"


@dataclass(frozen=True)
class Case:
    """Work of one kind: how it is asked for, and where it leads if it goes well or badly (None: the row is gone)."""

    name: str
    verb: str
    ask: Callable[[World], Image]
    good: ImageState | None
    bad: ImageState | None


def pull(world: World) -> Image:
    world.engines["one"].registry[WEB] = EngineImage(id="sha256:web", size=7, digests={"registry.example/team/web": "sha256:" + "a" * 64})
    return world.images.pull(ME, WEB, "one")


def commit(world: World, name: str = "mine") -> Image:
    container = world.containers()[0] if world.containers() else world.create()
    return world.images.commit(ME, container, name, None)


def delete(world: World) -> Image:
    made = pull(world)
    world.settle()
    world.images.delete(ME, row(world, made))
    return made


CASES = (
    Case("pull", "pull", pull, ImageState.AVAILABLE, ImageState.ERROR),
    Case("commit", "commit", commit, ImageState.AVAILABLE, None),
    Case("commit-pushed", "commit", lambda world: commit(world, WEB), ImageState.AVAILABLE, None),
    Case("delete", "delete", delete, None, ImageState.AVAILABLE),
)
BROKEN = [
    pytest.param(case, f"{step.name}:{when}", id=f"{case.name}-{step.name}-{when}")
    for case in CASES
    for step in SAGAS[case.verb]
    for when in ("before", "after")
]


def row(world: World, image: Image) -> Image | None:
    with world.store.read() as tx:
        return tx.get(Image, image.uuid)


def state(world: World, image: Image) -> ImageState | None:
    found = row(world, image)
    return found.status if found else None


def actions(world: World, image: Image) -> list[Action]:
    with world.store.read() as tx:
        return tx.find(Action, {"image_uuid": image.uuid})


def broken(world: World, case: Case, point: str, act: Callable[[], None], times: int = 1) -> Image:
    """Ask for a case's work, of which the step at ``point`` will break."""
    left = [times]

    def fault(reached: str) -> None:
        if reached == point and left[0] and world.open_actions():
            left[0] -= 1
            act()

    image = case.ask(world)
    world.fault = fault
    return image


def refuse() -> None:
    raise errors.EngineError(reason="so the test orders")


def sound(world: World, image: Image) -> None:
    """The world is sound; of an image that is no more nothing is left but what the registry has."""
    world.fault = lambda point: None
    check(world)
    if row(world, image) is None:
        assert own_name(image.uuid) not in world.engines["one"].images
    for container in world.containers():
        assert container.status is Status.RUNNING, "whatever becomes of the image, the container goes on"


def test_every_saga_has_a_case() -> None:
    assert {case.verb for case in CASES} == set(SAGAS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_goes_well(world: World, case: Case) -> None:
    image = case.ask(world)
    world.settle()
    assert state(world, image) is case.good
    sound(world, image)


@pytest.mark.parametrize(("case", "point"), BROKEN)
def test_a_step_that_fails(world: World, case: Case, point: str) -> None:
    image = broken(world, case, point, refuse)
    world.settle()
    assert state(world, image) is case.bad
    if case.bad is ImageState.ERROR:
        assert "so the test orders" in (row(world, image).status_reason or "")
    ended = [action for action in world.actions() if action.action == case.verb]
    assert all(action.state is ActionState.DONE for action in ended)
    if ended:
        assert ended[-1].message == "Error"
    sound(world, image)


@pytest.mark.parametrize("deaths", [1, 2])
@pytest.mark.parametrize(("case", "point"), BROKEN)
def test_an_agent_that_is_killed_at_a_step_is_followed_by_one_that_ends_the_work(world: World, case: Case, point: str, deaths: int) -> None:
    def die() -> None:
        raise Killed

    image = broken(world, case, point, die, deaths)
    world.settle()
    assert state(world, image) is case.good
    sound(world, image)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("call", ["claim", "finish", "progress"])
@pytest.mark.parametrize("how", ["unheard", "unanswered", "twice"])
def test_a_lost_message_delays_the_work_and_loses_nothing(world: World, case: Case, call: str, how: str) -> None:
    image = case.ask(world)
    world.lives["one"].wire.disturb(call, how)
    world.settle()
    assert state(world, image) is case.good
    sound(world, image)


@pytest.mark.parametrize(("case", "point"), BROKEN)
def test_work_waits_for_an_engine_that_does_not_answer(world: World, case: Case, point: str) -> None:
    engine = world.engines["one"]

    def go_away() -> None:
        engine.stop(containers_end=False)
        raise errors.EngineUnavailable(reason="Connection refused")

    image = broken(world, case, point, go_away)
    while world.turn():
        pass
    assert world.open_actions(), "it waits"
    engine.start()
    world.settle()
    assert state(world, image) is case.good
    sound(world, image)


def test_an_engine_that_stays_away_fails_a_pull_in_words(world: World) -> None:
    image = pull(world)
    world.engines["one"].stop(containers_end=False)
    world.settle(longest=400)
    world.engines["one"].start()
    world.settle()
    assert state(world, image) is ImageState.ERROR
    assert "Connection refused" in row(world, image).status_reason


def test_what_a_failed_commit_leaves_behind_is_removed_later(world: World) -> None:
    image = commit(world, WEB)
    fails = [True]

    def fault(point: str) -> None:
        if point == "push_image:before" or (point == "commit_container:undo" and fails[0]):
            refuse()

    world.fault = fault
    while world.turn():
        pass
    assert [action.state for action in actions(world, image)] == [ActionState.UNDOING]
    assert own_name(image.uuid) in world.engines["one"].images
    fails[0] = False
    world.settle()
    assert row(world, image) is None
    sound(world, image)


# --- what overtakes what -------------------------------------------------------------------------


def test_a_deletion_ends_a_pull_that_waits_for_its_host(world: World) -> None:
    world.kill()
    image = pull(world)
    world.images.delete(ME, row(world, image))
    world.begin()
    world.settle()
    assert row(world, image) is None
    assert not actions(world, image)
    assert WEB not in world.engines["one"].images


def test_a_container_that_goes_takes_its_unbegun_commit_along(world: World) -> None:
    container = world.create()
    world.kill()
    image = commit(world)
    world.delete(container, force=True, settle=False)
    world.begin()
    world.settle()
    assert world.container(container.uuid) is None
    assert row(world, image) is None or state(world, image) is ImageState.AVAILABLE
    assert not world.open_actions()
    sound(world, image)


def test_a_commit_in_hand_outlives_the_row_of_its_container(world: World) -> None:
    container = world.create()
    image = commit(world)
    gone = []

    def fault(point: str) -> None:
        if point == "commit_container:after" and not gone:
            gone.append(True)
            world.delete(container, force=True, settle=False)

    world.fault = fault
    world.settle()
    assert world.container(container.uuid) is None
    assert state(world, image) is ImageState.AVAILABLE
    sound(world, image)
