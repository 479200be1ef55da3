"""A rebuild never leaves its user with less than there was: the new object takes the old one's place once it is known to be good."""

import pytest

from tests.invariants import check
from zun import errors
from zun.domain.lifecycle import Status
from zun.drivers.runtime.fake import Program
from zun.interfaces.runtime import EngineImage


@pytest.fixture
def other(world):
    """Another image in the engine."""
    world.engines["one"].images["docker.io/library/nginx:latest"] = EngineImage(id="sha256:nginx", ports=[443])
    return "nginx"


def test_another_image_is_the_container_s_once_the_rebuild_is_done(world, other):
    container = world.create(image="busybox")
    asked = world.do("rebuild", container, settle=False, image=other)
    assert (asked.status, asked.image, asked.ports) == (Status.REBUILDING, "busybox", [80])
    world.settle()
    done = world.container(container.uuid)
    assert (done.status, done.image, done.ports) == (Status.RUNNING, "nginx", [443])
    assert done.engine_id != container.engine_id
    assert world.in_engine(container) == ["running"]
    check(world)


@pytest.mark.parametrize("verb", ["stop", None])
def test_what_did_not_run_is_only_made(world, other, verb):
    container = world.do(verb, world.create()) if verb else world.create(run=False)
    assert world.do("rebuild", container, image=other).status is Status.CREATED
    assert world.in_engine(container) == ["created"]
    check(world)


def test_an_image_that_cannot_be_pulled_leaves_everything_as_it_was(world):
    container = world.create()
    kept = world.do("rebuild", container, image="nosuch")
    assert (kept.status, kept.image, kept.engine_id, kept.incarnation) == (
        Status.RUNNING,
        "busybox",
        container.engine_id,
        container.incarnation,
    )
    assert "nosuch" in kept.status_reason
    assert world.actions(container)[-1].message == "Error"
    check(world)


@pytest.mark.parametrize("program", [Program(fails="no such file"), Program(ends=3)], ids=["cannot start", "ends badly"])
def test_what_does_not_run_gives_its_place_back(world, other, program):
    container = world.create(command=["serve"])
    # The command is the same; what it does in the new image is not.
    world.engines["one"].programs[("serve",)] = program
    old = next(thing for thing in world.engines["one"].things.values() if thing.container_uuid == container.uuid)
    kept = world.do("rebuild", container, image=other)
    assert old.engine_id in world.engines["one"].things
    assert (kept.status, kept.image) == (Status.RUNNING, "busybox")
    assert kept.incarnation == container.incarnation + 1, "it was started again"
    assert world.in_engine(container) == ["running"]
    check(world)


def test_the_two_never_run_at_once(world, other):
    container, running = world.create(), []
    world.fault = lambda point: running.append(world.in_engine(container).count("running"))
    world.do("rebuild", container, image=other)
    assert max(running) == 1


def test_an_old_object_that_will_not_go_keeps_its_place(world, other):
    container = world.create()
    world.engines["one"].fail("remove", errors.EngineError(reason="busy"))
    kept = world.do("rebuild", container, image=other)
    assert (kept.status, kept.image, kept.engine_id) == (Status.RUNNING, "busybox", container.engine_id)
    check(world)


def test_a_second_rebuild_after_one_that_failed(world, other):
    container = world.do("rebuild", world.create(), image="nosuch")
    done = world.do("rebuild", container, image=other)
    assert (done.status, done.image, done.status_reason) == (Status.RUNNING, "nginx", None)
    check(world)


def test_what_is_no_image_is_refused_and_changes_nothing(world):
    container = world.create()
    for asked, error in (({"image": "UPPER CASE"}, errors.InvalidImage), ({"image_driver": "nodriver"}, errors.NotOffered)):
        with pytest.raises(error):
            world.do("rebuild", container, **asked)
        assert world.container(container.uuid) == container
    check(world)
