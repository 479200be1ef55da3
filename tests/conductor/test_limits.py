"""Limits of a living container: claimed, set, given back; and that row and engine come together whatever is not heard."""

import pytest

from tests.invariants import check
from tests.world import ME
from zun import errors
from zun.conductor.accept import Defaults
from zun.domain.lifecycle import Status
from zun.domain.quota import Quota


def in_engine(world, container):
    made = next(thing for thing in world.engines["one"].things.values() if thing.container_uuid == container.uuid)
    return made.cpu, made.memory


def test_a_resize_shows_what_was_and_is_done_later(world):
    container = world.create(cpu=0.5, memory=64)
    told = world.verbs.resize(ME, container, {"cpu": 1.0, "memory": 128, "name": "new"})
    assert (told.cpu, told.memory, told.name) == (0.5, 64, container.name)
    assert in_engine(world, container) == (0.5, 64)
    world.settle()
    after = world.container(container.uuid)
    assert (after.cpu, after.memory, after.name, after.status) == (1.0, 128, "new", Status.RUNNING)
    assert in_engine(world, container) == (1.0, 128)
    assert world.sandbox(container).memory == 128
    check(world)


def together(world, container):
    """What holds all the containers of the sandbox, in the engine."""
    made = next(thing for thing in world.engines["one"].things.values() if thing.spec.uuid == container.sandbox_uuid)
    return made.cpu, made.memory


@pytest.mark.parametrize("how", ["resize", "update"])
@pytest.mark.parametrize("memory", [32, 200])
def test_the_limits_of_a_container_in_a_capsule_are_part_of_the_capsules(world, how, memory):
    first, second = world.create_capsule({"cpu": 0.5, "memory": 64}, {"cpu": 0.25, "memory": 64})
    assert together(world, first) == (0.75, 128)
    getattr(world.verbs, how)(ME, first, {"memory": memory})
    world.settle()
    assert in_engine(world, first) == (0.5, memory)
    assert in_engine(world, second) == (0.25, 64)
    assert together(world, first) == (0.75, memory + 64)
    assert world.sandbox(first).memory == memory + 64
    check(world)


@pytest.mark.parametrize("how", ["resize", "update"])
@pytest.mark.parametrize("refuses", ["update", "limit_sandbox"])
def test_limits_in_a_capsule_that_are_refused_are_given_back_together(world, how, refuses):
    first, _ = world.create_capsule({"cpu": 0.5, "memory": 64}, {"cpu": 0.25, "memory": 64})
    world.engines["one"].fail(refuses, errors.EngineError(reason="in use"))
    if how == "update":
        with pytest.raises(errors.LimitsRefused):
            world.verbs.update(ME, first, {"memory": 200})
    else:
        world.verbs.resize(ME, first, {"memory": 200})
    world.settle()
    assert in_engine(world, first) == (0.5, 64)
    assert (together(world, first), world.sandbox(first).memory) == ((0.75, 128), 128)
    check(world)


def test_limits_in_a_capsule_must_fit_on_its_host(world):
    first, _ = world.create_capsule({"memory": 64}, {"memory": 64})
    with pytest.raises(errors.InsufficientCapacity):
        world.verbs.resize(ME, first, {"memory": 8000})
    assert world.sandbox(first).memory == 128
    check(world)


def test_a_capsule_shrinks_when_a_container_leaves_it(world):
    first, second = world.create_capsule({"cpu": 0.5, "memory": 64}, {"cpu": 0.25, "memory": 64})
    world.verbs.remove_container(ME, world.sandbox(first), second)
    world.settle()
    assert together(world, first) == (0.5, 64)
    check(world)


def test_a_capsule_that_cannot_shrink_loses_the_container_all_the_same(world):
    first, second = world.create_capsule({"memory": 64}, {"memory": 64})
    world.engines["one"].fail("limit_sandbox", errors.EngineError(reason="in use"))
    world.verbs.remove_container(ME, world.sandbox(first), second)
    world.settle()
    assert world.container(second.uuid) is None
    assert (together(world, first)[1], world.sandbox(first).memory) == (128, 64)
    check(world)


def test_a_resize_that_the_engine_refuses_gives_the_claim_back(world):
    container = world.create(cpu=0.5, memory=64)
    world.engines["one"].fail("update", errors.EngineError(reason="in use"))
    world.verbs.resize(ME, container, {"memory": 16})
    world.settle()
    assert (world.container(container.uuid).memory, world.sandbox(container).memory) == (64, 64)
    assert world.actions(container)[-1].message == "Error"
    check(world)


def test_of_two_resizes_the_first_fails_and_the_second_holds(world):
    container = world.create(cpu=0.5, memory=64)
    world.engines["one"].fail("update", errors.EngineError(reason="no"))
    for memory in (96, 80):
        world.verbs.resize(ME, container, {"memory": memory})
    world.settle()
    assert world.container(container.uuid).memory == 80
    check(world)


def test_a_resize_beyond_quota_or_room_changes_nothing(make_world):
    world = make_world(defaults=Defaults(quota=Quota(containers=9, cpu=3, memory=9000, disk=9)))
    container = world.create(cpu=0.5, memory=64)
    with pytest.raises(errors.OverQuota):
        world.verbs.resize(ME, container, {"cpu": 3.1})
    with pytest.raises(errors.InsufficientCapacity):
        world.verbs.resize(ME, container, {"memory": 8000})
    assert world.container(container.uuid) == container
    assert len(world.actions(container)) == 1
    check(world)


def test_a_resize_in_the_wrong_state_is_a_conflict(world):
    container = world.create(image="nosuch")
    with pytest.raises(errors.InvalidStateException, match="Cannot resize_container"):
        world.verbs.resize(ME, container, {"cpu": 1.0})


@pytest.mark.parametrize("after", [False, True], ids=["not done", "done"])
def test_an_update_whose_answer_is_lost_is_given_back_by_the_engine_too(world, after):
    container = world.create(cpu=0.5, memory=64)
    world.engines["one"].fail("update", errors.EngineUnavailable(reason="reset by peer"), after=after)
    with pytest.raises(errors.EngineUnavailable):
        world.verbs.update(ME, container, {"cpu": 1.0, "memory": 128})
    assert (world.container(container.uuid).cpu, world.container(container.uuid).memory) == (0.5, 64)
    assert in_engine(world, container) == ((1.0, 128) if after else (0.5, 64))
    world.settle()
    assert in_engine(world, container) == (0.5, 64)
    check(world)


class Gone(BaseException):
    """The process that asked ends."""


@pytest.mark.parametrize("set_before", [False, True], ids=["not asked", "asked"])
def test_an_update_whose_process_ends_in_the_middle_is_ended_by_the_host(world, set_before):
    container = world.create(cpu=0.5, memory=64)

    class Ending:
        def __init__(self, real):
            self.real = real

        def on(self, host):
            return self

        def look(self):
            pass

        def update(self, uuid, cpu, memory, cpuset, whole):
            if set_before:
                self.real.on("one").update(uuid, cpu, memory, cpuset, whole)
            raise Gone

    real, world.agents = world.agents, Ending(world.agents)
    world.begin_conductor()
    with pytest.raises(Gone):
        world.verbs.update(ME, container, {"cpu": 1.0, "memory": 128})
    world.agents = real
    world.begin_conductor()
    world.settle()
    assert in_engine(world, container) == (1.0, 128)
    assert world.container(container.uuid).memory == 128
    check(world)


def test_an_update_that_went_well_leaves_no_action_behind(world):
    container = world.create()
    world.verbs.update(ME, container, {"memory": 128})
    assert [action.action for action in world.actions(container)] == ["create"]


def test_limits_wait_for_an_engine_as_long_as_it_takes(world):
    container = world.create(cpu=0.5, memory=64)
    world.verbs.resize(ME, container, {"memory": 128})
    world.engines["one"].stop(containers_end=False)
    world.settle(longest=1000)
    world.engines["one"].start()
    world.settle()
    assert in_engine(world, container) == (0.5, 128)
    world.heartbeats()
    world.settle()
    check(world)
