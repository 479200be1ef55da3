"""A sandbox that somebody removed behind the service's back: its container comes back in a new one, whichever way it comes."""

import pytest

from tests.invariants import check
from zun import errors
from zun.domain.lifecycle import Status
from zun.drivers.runtime.fake import FakeRuntime
from zun.interfaces.runtime import SandboxSpec

ALWAYS = {"restart_policy": {"Name": "always"}}


def lose(world, container):
    world.engines["one"].lose(container.sandbox_uuid)


def assert_together(world, container):
    """The container runs in the sandbox that its row knows, with that one's address."""
    sandbox = world.sandbox(container)
    things = {thing.spec.uuid: thing for thing in world.engines["one"].things.values()}
    assert things[container.uuid].sandbox is things[sandbox.uuid]
    assert sandbox.engine_id == things[sandbox.uuid].engine_id
    assert [address["port"] for address in sandbox.addresses["bridge"]] == [sandbox.engine_id]
    check(world)


@pytest.mark.parametrize("verb", ["start", "reboot"])
def test_a_stopped_container_is_started(world, verb):
    container = world.do("stop", world.create())
    lose(world, container)
    again = world.do(verb, container)
    assert (again.status, again.incarnation, again.revision) == (Status.RUNNING, 2, 0)
    assert_together(world, again)


def test_a_policy_restarts_its_container(world):
    container = world.create(**ALWAYS)
    lose(world, container)
    world.engines["one"].die(container.uuid, 1)
    world.settle()
    again = world.container(container.uuid)
    assert (again.status, again.restart_count) == (Status.RUNNING, 1)
    assert_together(world, again)


def test_a_running_container_is_mended(world):
    container = world.create()
    lose(world, container)
    world.settle()
    again = world.container(container.uuid)
    assert (again.status, again.incarnation, again.restart_count) == (Status.RUNNING, 2, 0)
    assert_together(world, again)


@pytest.mark.parametrize("how", ["lose", "die"])
def test_an_agent_that_died_while_it_mended_is_followed_by_one_that_mends_the_rest(world, how):
    container = world.create()
    world.kill()
    engine, sandbox = world.engines["one"], world.sandbox(container)
    engine.lose(sandbox.uuid) if how == "lose" else engine.die(sandbox.uuid, 137)
    FakeRuntime(engine).ensure_sandbox(SandboxSpec(uuid=sandbox.uuid))
    world.begin()
    world.settle()
    again = world.container(container.uuid)
    assert (again.status, again.incarnation) == (Status.RUNNING, 2)
    things = {thing.spec.uuid: thing for thing in engine.things.values()}
    assert things[container.uuid].network == things[sandbox.uuid].network
    assert_together(world, again)


def test_a_running_container_that_cannot_be_mended_shows_what_became_of_it(world):
    container = world.create()
    world.engines["one"].fail("start", errors.EngineError(reason="no space left on device"), times=100)
    lose(world, container)
    world.settle()
    world.scans()
    assert world.container(container.uuid).status is Status.STOPPED
    check(world)


def test_what_could_not_be_mended_to_its_end_is_mended_after_the_next_scan(world):
    """The sandbox runs again by then; only that its container is in the old one is left to be seen."""
    container = world.create()
    world.engines["one"].fail("stop", errors.EngineUnavailable(reason="it is away"), times=3)
    lose(world, container)
    world.settle()
    world.scans()
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING
    assert_together(world, container)
