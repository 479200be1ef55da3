"""Capsules on a host: made together, begun in order, healed, added to and taken from."""

import pytest

from tests.invariants import check
from tests.world import ME
from zun import errors
from zun.domain.action import Action
from zun.domain.capsule import phase
from zun.domain.lifecycle import Status
from zun.drivers.runtime.fake_engine import Program
from zun.interfaces.runtime import ContainerSpec, SandboxSpec

S = Status
ALWAYS = {"Name": "always", "MaximumRetryCount": "0"}
INIT = {"init": True, "command": ["init"]}


@pytest.fixture
def programs(world):
    """What commands do: an initialising one is at work until a test ends it."""
    world.engines["one"].programs[("quick",)] = Program(ends=0)
    world.engines["one"].programs[("fails",)] = Program(ends=3)
    world.engines["one"].programs[("no",)] = Program(fails="no such file")
    return world.engines["one"].programs


def now(world, members):
    return [world.container(one.uuid) for one in members]


def shown(world, members):
    return [one.status for one in now(world, members)]


def starts(world):
    return [uuid for name, uuid in world.engines["one"].calls if name == "start"]


def test_all_containers_run_in_one_sandbox(world):
    members = world.create_capsule({}, {}, restart_policy=ALWAYS)
    assert shown(world, members) == [S.RUNNING, S.RUNNING]
    assert phase(now(world, members)) == (S.RUNNING, None)
    things = world.engines["one"].things.values()
    assert sum(isinstance(thing.spec, SandboxSpec) for thing in things) == 1
    sandbox = next(thing.spec for thing in things if isinstance(thing.spec, SandboxSpec))
    assert (sandbox.cpu, sandbox.memory) == (0.2, 32), "their limits together are the sandbox's"
    check(world)


def test_every_image_is_there_before_anything_begins(world):
    members = world.create_capsule({}, {"image": "nowhere"})
    assert shown(world, members) == [S.ERROR, S.ERROR]
    assert all(f"Container {members[1].name}:" in one.status_reason for one in now(world, members))
    assert not starts(world)
    assert not world.engines["one"].things
    assert phase(now(world, members))[0] is S.ERROR
    check(world)


def test_a_container_that_cannot_begin_takes_all_with_it(world, programs):
    members = world.create_capsule({}, {"command": ["no"]})
    assert shown(world, members) == [S.ERROR, S.ERROR]
    assert "no such file" in phase(now(world, members))[1]
    assert not world.engines["one"].things
    check(world)


def test_initialising_containers_end_one_after_the_other_before_the_others_begin(world, programs):
    members = world.create_capsule(INIT, INIT, {}, {}, restart_policy=ALWAYS)
    first, second, *others = members
    assert shown(world, members) == [S.RUNNING, S.CREATED, S.CREATED, S.CREATED]
    assert phase(now(world, members)) == (S.CREATING, None)
    assert not world.open_actions(), "nothing is in hand for as long as it takes"
    world.engines["one"].die(first.uuid, 0)
    world.settle()
    assert shown(world, members) == [S.STOPPED, S.RUNNING, S.CREATED, S.CREATED]
    world.engines["one"].die(second.uuid, 0)
    world.settle()
    assert shown(world, members) == [S.STOPPED, S.STOPPED, S.RUNNING, S.RUNNING]
    assert phase(now(world, members)) == (S.RUNNING, None)
    assert starts(world) == [one.uuid for one in [first, second, *others]]
    check(world)


@pytest.mark.parametrize("missed", [False, True])
def test_an_initialising_container_that_has_finished_is_not_run_again_by_the_agents_next_life(world, missed):
    members = world.create_capsule(INIT, {}, restart_policy=ALWAYS)
    world.kill()
    world.engines["one"].die(members[0].uuid, 0)
    world.begin()
    world.settle()
    assert shown(world, members) == [S.STOPPED, S.RUNNING]
    world.restart()
    world.scans()
    assert starts(world) == [one.uuid for one in members]


def test_a_failing_initialising_container_is_tried_again_ten_times_and_then_the_capsule_is_in_error(world, programs):
    members = world.create_capsule({"init": True, "command": ["fails"]}, {}, restart_policy=ALWAYS)
    assert members[0].restart_policy == {"Name": "on-failure", "MaximumRetryCount": "10"}
    assert members[1].restart_policy == ALWAYS
    assert starts(world) == [members[0].uuid] * 11
    assert phase(now(world, members)) == (S.ERROR, f"Init container {members[0].name} ended with exit code 3.")
    assert shown(world, members) == [S.STOPPED, S.CREATED]


def test_a_container_that_cannot_begin_after_the_initialising_ones_is_in_error_and_the_others_run_on(world, programs):
    members = world.create_capsule({"init": True, "command": ["quick"]}, {}, {"command": ["no"]}, restart_policy=ALWAYS)
    assert shown(world, members) == [S.STOPPED, S.RUNNING, S.ERROR]
    status, reason = phase(now(world, members))
    assert status is S.ERROR
    assert members[2].name in reason
    assert "no such file" in reason


def test_a_deletion_does_not_wait_for_an_initialising_container(world):
    members = world.create_capsule(INIT, {})
    world.verbs.delete_capsule(ME, world.sandbox(members[0]))
    world.settle()
    assert not any(world.rows().values())
    assert not world.engines["one"].things


def test_a_deletion_overtakes_a_create(world):
    members = world.create_capsule({}, {}, settle=False)
    world.place.run()
    world.lives["one"].beat("agent-claims")
    world.verbs.delete_capsule(ME, world.sandbox(members[0]))
    world.settle()
    assert not any(world.rows().values())
    assert not world.engines["one"].things
    assert not starts(world)


def test_a_capsule_that_is_going_cannot_be_deleted_again(world):
    members = world.create_capsule({}, {})
    world.verbs.delete_capsule(ME, world.sandbox(members[0]))
    with pytest.raises(errors.InvalidStateException, match=r"Cannot delete capsule .* in Deleting state"):
        world.verbs.delete_capsule(ME, world.sandbox(members[0]))


def test_a_container_of_a_capsule_is_not_deleted_by_itself(world):
    members = world.create_capsule({}, {})
    with pytest.raises(errors.InCapsule):
        world.delete(members[0], force=True)


def test_a_container_joins_and_leaves_a_capsule_that_lives(world):
    members = world.create_capsule({})
    sandbox = world.sandbox(members[0])
    joined = world.accept.add_container(ME, sandbox, {"image": "busybox", "cpu": 0.5, "memory": 32})
    world.settle()
    assert world.container(joined.uuid).status is S.RUNNING
    assert (world.sandbox(joined).cpu, world.sandbox(joined).memory) == (0.6, 48)
    check(world)
    world.verbs.remove_container(ME, sandbox, joined)
    world.settle()
    assert world.container(joined.uuid) is None
    assert (world.sandbox(members[0]).cpu, world.sandbox(members[0]).memory) == (0.1, 16)
    assert shown(world, members) == [S.RUNNING]
    with pytest.raises(errors.LastOfCapsule):
        world.verbs.remove_container(ME, sandbox, members[0])
    check(world)


def test_a_container_for_which_there_is_no_room_does_not_join(world):
    members = world.create_capsule({})
    before = world.rows()
    with pytest.raises(errors.InsufficientCapacity):
        world.accept.add_container(ME, world.sandbox(members[0]), {"image": "busybox", "cpu": 1.0, "memory": 8000})
    assert world.rows() == before
    check(world)


def test_a_container_that_cannot_join_leaves_the_others_alone(world, programs):
    members = world.create_capsule({})
    joined = world.accept.add_container(ME, world.sandbox(members[0]), {"image": "busybox", "command": ["no"]})
    world.settle()
    assert world.container(joined.uuid).status is S.ERROR
    assert "no such file" in world.container(joined.uuid).status_reason
    assert world.in_engine(joined) == []
    assert shown(world, members) == [S.RUNNING]
    world.verbs.remove_container(ME, world.sandbox(joined), joined)
    world.settle()
    assert world.container(joined.uuid) is None
    check(world)


def test_a_sandbox_that_dies_is_raised_for_all_in_order(world):
    members = world.create_capsule({}, {}, restart_policy=ALWAYS)
    before = len(starts(world))
    world.engines["one"].lose(members[0].sandbox_uuid)
    world.settle()
    assert shown(world, members) == [S.RUNNING, S.RUNNING]
    assert starts(world)[before:] == [one.uuid for one in members]
    spec = next(thing.spec for thing in world.engines["one"].things.values() if isinstance(thing.spec, SandboxSpec))
    assert (spec.cpu, spec.memory) == (0.2, 32)
    check(world)


def test_an_engine_that_restarts_gets_all_back(world):
    members = world.create_capsule({"init": True, "command": ["init"]}, {}, {}, restart_policy=ALWAYS)
    world.engines["one"].die(members[0].uuid, 0)
    world.settle()
    world.engines["one"].stop()
    world.settle()
    world.engines["one"].start()
    world.settle()
    assert shown(world, members) == [S.STOPPED, S.RUNNING, S.RUNNING]
    check(world)


def test_a_container_that_nobody_knows_is_removed_from_a_sandbox_that_somebody_knows(world):
    members = world.create_capsule({})
    spec = ContainerSpec(uuid="stranger", sandbox_uuid=members[0].sandbox_uuid, name="x", image="sha256:busybox")
    world.lives["one"].runtime.ensure_container(spec)
    world.scans()
    assert not [thing for thing in world.engines["one"].things.values() if thing.spec.uuid == "stranger"]
    assert shown(world, members) == [S.RUNNING]


def test_shared_volumes_are_the_same_place_for_all_and_go_with_the_sandbox(world):
    mount = {"volume_mounts": [{"volume": "cache", "destination": "/cache", "read_only": False}]}
    members = world.create_capsule(mount, mount, volumes=[{"name": "cache", "type": "empty", "medium": "", "size": None}])
    binds = [thing.spec.binds for thing in world.engines["one"].things.values() if isinstance(thing.spec, ContainerSpec)]
    assert binds[0] == binds[1]
    assert [bind.destination for bind in binds[0]] == ["/cache"]
    assert list((world.folder / "one").glob("*/*"))
    world.verbs.delete_capsule(ME, world.sandbox(members[0]))
    world.settle()
    assert not list((world.folder / "one").glob("*"))


def test_only_work_on_the_whole_is_one_action(world):
    world.create_capsule({"init": True, "command": ["init"]}, {})
    with world.store.read() as tx:
        assert [(action.action, action.container_uuid) for action in tx.find(Action)] == [("create", None)]
