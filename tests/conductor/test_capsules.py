"""Capsules accepted: all of it or nothing, counted, named, in the states that allow it."""

from collections import Counter

import pytest

from tests.invariants import check
from tests.world import ME
from zun import errors
from zun.conductor.accept import Defaults
from zun.domain.action import ActionState
from zun.domain.capsule import MOST_CONTAINERS
from zun.domain.lifecycle import Desired, Status
from zun.domain.quota import Quota

S = Status


def test_a_capsule_is_written_at_once_with_one_action(world):
    members = world.create_capsule({"init": True}, {}, {}, name="web", labels={"a": "b"}, settle=False)
    assert world.rows() == Counter(Container=3, Sandbox=1, Action=1)
    (action,) = world.actions()
    assert (action.action, action.container_uuid, action.state) == ("create", None, ActionState.QUEUED)
    assert {(one.status, one.desired, one.capsule) for one in members} == {(S.CREATING, Desired.RUNNING, True)}
    assert [(one.init, one.position) for one in members] == [(True, 0), (False, 1), (False, 2)]
    sandbox = world.sandbox(members[0])
    assert (sandbox.capsule, sandbox.name, sandbox.labels, sandbox.cpu, sandbox.memory) == (True, "web", {"a": "b"}, 0.2, 32)
    names = [one.name for one in members]
    assert all(name.startswith("capsule-web-") for name in names)
    assert len(set(names)) == 3


def test_a_capsule_without_a_name_lends_its_containers_its_uuid(world):
    (one,) = world.create_capsule({}, settle=False)
    assert one.name.startswith(f"capsule-{one.sandbox_uuid}-")


def test_a_container_keeps_the_name_that_it_is_given(world):
    assert world.create_capsule({"name": "pod-web"}, settle=False)[0].name == "pod-web"


@pytest.mark.parametrize(
    ("containers", "sandbox", "refusal"),
    [
        ([{"image": "Not An Image"}], {}, errors.InvalidImage),
        ([{}, {"image_driver": "glance"}], {}, errors.NotOffered),
        ([{}], {"nets": [{"network": "n"}]}, errors.NotOffered),
        ([{}], {"volumes": [{"name": "v", "type": "cinder"}]}, errors.NotOffered),
        ([{"volume_mounts": [{"volume": "v", "destination": "/v"}]}], {}, errors.InvalidValue),
        ([{"init": True}], {}, errors.InvalidValue),
        ([{}, {"init": True}], {}, errors.InvalidValue),
        ([{"name": "a-b"}, {"name": "A-b"}], {}, errors.InvalidValue),
        ([{"auto_remove": True}], {}, errors.InvalidValue),
        ([{}] * (MOST_CONTAINERS + 1), {}, errors.InvalidValue),
        ([{}] * 4, {}, errors.OverQuota),
        ([{"cpu": 2.0}, {"cpu": 2.0}], {}, errors.OverQuota),
        ([{"init": True, "memory": 200}, {"memory": 200}], {}, errors.OverQuota),
        ([{"name": "Taken"}], {}, errors.NameInUse),
    ],
)
def test_a_refusal_writes_nothing(make_world, containers, sandbox, refusal):
    world = make_world(defaults=Defaults(quota=Quota(containers=4, cpu=3, memory=300, disk=0), unique_name_scope="project"))
    world.create(name="taken")
    before = world.rows()
    with pytest.raises(refusal):
        world.create_capsule(*containers, **sandbox)
    assert world.rows() == before
    check(world)


def test_a_capsule_that_no_host_takes_is_in_error_as_a_whole(world):
    members = world.create_capsule({"cpu": 10.0}, {"memory": 5000}, {"memory": 5000})
    assert {world.container(one.uuid).status for one in members} == {S.ERROR}
    assert "room" in world.container(members[0].uuid).status_reason
    with pytest.raises(errors.InvalidStateException, match=r"Cannot add a container to capsule .* in Error state"):
        world.accept.add_container(ME, world.sandbox(members[0]), {"image": "busybox"})
    world.verbs.delete_capsule(ME, world.sandbox(members[0]))
    assert not any(world.rows().values()), "no host has it, so it is gone at once"


def test_nothing_joins_or_leaves_while_the_whole_is_at_work(world):
    members = world.create_capsule({}, {}, settle=False)
    sandbox = world.sandbox(members[0])
    with pytest.raises(errors.InvalidStateException):
        world.accept.add_container(ME, sandbox, {"image": "busybox"})
    with pytest.raises(errors.InvalidStateException):
        world.verbs.remove_container(ME, sandbox, members[0])
    world.settle()
    check(world)


def test_initialising_containers_stay(world):
    members = world.create_capsule({"init": True}, {}, {})
    with pytest.raises(errors.LastOfCapsule):
        world.verbs.remove_container(ME, world.sandbox(members[0]), members[0])


def test_an_initialising_container_cannot_join(world):
    members = world.create_capsule({})
    with pytest.raises(errors.InvalidValue):
        world.accept.add_container(ME, world.sandbox(members[0]), {"image": "busybox", "init": True})


def test_what_is_no_capsule_is_not_found(world):
    plain = world.create()
    with pytest.raises(errors.CapsuleNotFound):
        world.verbs.delete_capsule(ME, world.sandbox(plain))
    with pytest.raises(errors.CapsuleNotFound):
        world.accept.add_container(ME, world.sandbox(plain), {"image": "busybox"})


def test_a_deletion_gives_up_what_waits(world):
    members = world.create_capsule({}, {})
    for one in members:
        world.do("stop", one, settle=False)
    world.verbs.delete_capsule(ME, world.sandbox(members[0]))
    world.settle()
    assert not any(world.rows().values())


def test_a_container_that_a_template_names_ports_of_shows_them_beside_its_images(world):
    (one,) = world.create_capsule({"ports": [8080]})
    assert one.ports == [80, 8080]


def test_verbs_on_one_container_leave_the_others_alone(world):
    first, second = world.create_capsule({}, {})
    world.do("stop", first)
    assert (world.container(first.uuid).status, world.container(second.uuid).status) == (S.STOPPED, S.RUNNING)
    world.do("rebuild", first)
    world.do("reboot", second)
    assert (world.container(first.uuid).status, world.container(second.uuid).status) == (S.CREATED, S.RUNNING)
    check(world)
