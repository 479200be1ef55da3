"""Containers of Glance's images, and images made of containers there: whatever fails, is killed or stays away, nothing is left over."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.glances import Glance, playing
from tests.hands import Killed
from tests.image_archives import docker
from tests.invariants import check
from tests.world import ME, World
from zun import errors
from zun.compute.images import SAGAS
from zun.domain.action import Caller
from zun.domain.host_image import Image, ImageState, own_name
from zun.domain.lifecycle import Status

YOU = Caller(user_id="you", project_id="yours", request_id="req-2", token="yours")
POINTS = [f"{step.name}:{when}" for step in SAGAS["commit"] for when in ("before", "after")]


@pytest.fixture
def glance() -> Iterator[Glance]:
    with playing() as played:
        yield played


@pytest.fixture
def world(glance: Glance, make_world: Callable[..., World]) -> World:
    return make_world(glance=glance)


def row(world: World, image: Image) -> Image | None:
    with world.store.read() as tx:
        return tx.get(Image, image.uuid)


def refuse() -> None:
    raise errors.EngineError(reason="so the test orders")


def die() -> None:
    raise Killed


def once(point: str, act: Callable[[], None]) -> Callable[[str], None]:
    left = [True]

    def fault(reached: str) -> None:
        if reached == point and left.pop() if left else False:
            act()

    return fault


# --- containers ----------------------------------------------------------------------------------


def test_a_container_of_an_image_by_its_name(world: World, glance: Glance) -> None:
    web = glance.put(docker(tags=["busybox:latest"]), name="web")
    made = world.create(image="web", image_driver="glance")
    assert (made.status, made.image, made.image_uuid) == (Status.RUNNING, "web", web)
    assert made.image_digest == f"sha512:{glance.images[web]['os_hash_value']}"
    assert world.create(image="busybox").status is Status.RUNNING
    check(world)


@pytest.mark.parametrize(
    ("asked", "error"), [("theirs", errors.InvalidImage), ("twice", errors.SeveralMatches), ("no", errors.InvalidImage)]
)
def test_what_cannot_be_had_is_refused_and_nothing_is_written(
    world: World, glance: Glance, asked: str, error: type[errors.ZunError]
) -> None:
    for name, owner in (("theirs", "theirs"), ("twice", "mine"), ("twice", "mine")):
        glance.put(docker(), name=name, owner=owner)
    before = world.rows()
    for ask in (
        lambda: world.create(image=asked, image_driver="glance"),
        lambda: world.create_capsule({"image": asked, "image_driver": "glance"}),
    ):
        with pytest.raises(error):
            ask()
    assert world.rows() == before


@pytest.mark.parametrize("fault", [500, 503])
def test_without_glance_nothing_is_accepted(world: World, glance: Glance, fault: int) -> None:
    glance.put(docker(), name="web")
    container = world.create()
    glance.faults["GET", ""] = fault
    before = world.rows()
    for ask in (
        lambda: world.create(image="web", image_driver="glance"),
        lambda: world.do("rebuild", container, image="web", image_driver="glance"),
        lambda: world.images.commit(ME, container, "mine", None),
    ):
        with pytest.raises(errors.ImageServiceUnavailable):
            ask()
    assert world.rows() == before


def test_a_glance_that_goes_away_meanwhile_is_waited_for(world: World, glance: Glance) -> None:
    glance.put(docker(), name="web")
    waiting = world.create(image="web", image_driver="glance", settle=False)
    glance.faults["GET", "/file"] = 503
    for _ in range(5):
        world.turn()
    glance.faults.clear()
    world.settle()
    assert world.container(waiting.uuid).status is Status.RUNNING
    check(world)


def test_a_glance_that_stays_away_fails_in_words_and_leaves_nothing(world: World, glance: Glance) -> None:
    glance.put(docker(), name="web")
    waiting = world.create(image="web", image_driver="glance", settle=False)
    glance.faults["GET", "/file"] = 503
    world.settle(longest=400)
    failed = world.container(waiting.uuid)
    assert failed.status is Status.ERROR
    assert "image service does not answer" in failed.status_reason
    assert not world.engines["one"].things
    check(world)


def test_nobody_gets_what_he_may_not_see_any_more(world: World, glance: Glance) -> None:
    web = glance.put(docker(), name="web", owner="theirs", visibility="public")
    assert world.create(image="web", image_driver="glance").status is Status.RUNNING
    waiting = world.create(image="web", image_driver="glance", settle=False)
    glance.images[web]["visibility"] = "private"
    world.settle()
    failed = world.container(waiting.uuid)
    assert failed.status is Status.ERROR
    assert "sees no such image" in failed.status_reason


def test_a_token_is_of_no_use_once_it_was_accepted(world: World, glance: Glance) -> None:
    glance.put(docker(), name="web")
    container = world.create(image="web", image_driver="glance", settle=False)
    world.images.commit(ME, world.create(), "snapshot", None)
    glance.calls.clear()
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING
    assert glance.calls
    assert {token for _, _, token in glance.calls} == {None}
    for action in world.actions():
        assert "token" not in repr(action)


def test_a_rebuild_may_change_to_glance_and_back(world: World, glance: Glance) -> None:
    web = glance.put(docker(), name="web")
    container = world.create()
    changed = world.do("rebuild", container, image="web", image_driver="glance")
    assert (changed.status, changed.image_driver, changed.image_uuid) == (Status.RUNNING, "glance", web)
    again = world.do("rebuild", container)
    assert (again.status, again.image_uuid) == (Status.RUNNING, web)
    back = world.do("rebuild", container, image="busybox", image_driver="docker")
    assert (back.status, back.image_driver, back.image_uuid) == (Status.RUNNING, "docker", None)


# --- commits -------------------------------------------------------------------------------------


def test_a_commit_goes_to_glance_and_can_be_run(world: World, glance: Glance) -> None:
    made = world.images.commit(ME, world.create(), "snapshot", "1")
    world.settle()
    assert glance.images[made.uuid]["status"] == "active"
    assert (row(world, made).status, row(world, made).kept) == (ImageState.AVAILABLE, False)
    assert own_name(made.uuid) not in world.engines["one"].images
    assert world.create(image="snapshot:1", image_driver="glance").status is Status.RUNNING
    with pytest.raises(errors.InvalidImage):
        world.create(image="snapshot:1", image_driver="glance", caller=YOU)


@pytest.mark.parametrize("point", POINTS)
def test_a_commit_that_fails_leaves_no_image_anywhere(world: World, glance: Glance, point: str) -> None:
    container = world.create()
    made = world.images.commit(ME, container, "snapshot", None)
    world.fault = once(point, refuse)
    world.settle()
    assert row(world, made) is None
    assert glance.images == {}
    assert own_name(made.uuid) not in world.engines["one"].images
    assert world.container(container.uuid).status is Status.RUNNING


@pytest.mark.parametrize("point", POINTS)
def test_an_agent_that_dies_in_a_commit_is_followed_by_one_that_ends_it(world: World, glance: Glance, point: str) -> None:
    made = world.images.commit(ME, world.create(), "snapshot", None)
    world.fault = once(point, die)
    world.settle()
    assert row(world, made).status is ImageState.AVAILABLE
    assert [image["status"] for image in glance.images.values()] == ["active"]
    assert own_name(made.uuid) not in world.engines["one"].images


@pytest.mark.parametrize(("method", "end"), [("POST", "/images"), ("PUT", "/file")])
def test_a_commit_to_a_glance_that_stays_away_leaves_nothing_once_it_is_back(world: World, glance: Glance, method: str, end: str) -> None:
    made = world.images.commit(ME, world.create(), "snapshot", None)
    glance.faults[method, end] = 503
    glance.faults["DELETE", ""] = 503
    world.settle(longest=400)
    glance.faults.clear()
    world.settle()
    assert row(world, made) is None
    assert glance.images == {}


def test_what_glance_has_is_not_deleted_with_its_row(world: World, glance: Glance) -> None:
    made = world.images.commit(ME, world.create(), "busybox", "latest")
    world.settle()
    world.images.delete(ME, row(world, made))
    world.settle()
    assert row(world, made) is None
    assert made.uuid in glance.images
    assert "docker.io/library/busybox:latest" in world.engines["one"].images


def test_an_image_that_glance_makes_when_its_commit_was_given_up_is_taken_away(world: World, glance: Glance) -> None:
    """And none that has data, nor one that nobody of ours has given up."""
    made, refused = world.create(), once("push_image:before", refuse)
    kept = world.images.commit(ME, made, "kept", None)
    world.settle()
    world.images.delete(ME, kept)
    world.fault = refused
    given_up = world.images.commit(ME, made, "late", None)
    world.settle()
    assert (row(world, kept), row(world, given_up), list(glance.images)) == (None, None, [kept.uuid])
    others = glance.put(status="queued")
    glance.put(status="queued", id=given_up.uuid)
    world.latecomers.run()
    assert sorted(glance.images) == sorted([kept.uuid, others])
