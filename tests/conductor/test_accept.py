"""Accepting: everything or nothing, within quota, under a name that may be used."""

import base64
import threading
from collections import Counter

import pytest

from tests.invariants import check
from tests.world import ME
from zun import errors
from zun.conductor.accept import Defaults
from zun.domain.action import ActionState, Caller
from zun.domain.lifecycle import Desired, Status
from zun.domain.quota import Quota

OTHER = Caller(user_id="you", project_id="yours", request_id="req-2")


def test_a_container_its_sandbox_and_its_action_are_written_together(world):
    made = world.create(name="web", cpu=0.5, memory=64, hostname="web-1", settle=False)
    assert world.rows() == Counter(Container=1, Sandbox=1, Action=1)
    sandbox, action = world.sandbox(made), world.actions(made)[0]
    assert (made.status, made.desired, made.task_state, made.host) == (Status.CREATING, Desired.RUNNING, None, None)
    assert (sandbox.cpu, sandbox.memory, sandbox.hostname, sandbox.project_id) == (0.5, 64, "web-1", "mine")
    assert (action.action, action.state, action.request_id, action.arguments) == ("create", ActionState.QUEUED, "req-1", {"run": True})


def test_what_a_request_leaves_open_is_the_operators_default_and_counts(make_world):
    world = make_world(defaults=Defaults(cpu=2.0, memory=100, quota=Quota(containers=9, cpu=3, memory=999, disk=9)))
    made = world.accept.create(ME, {"image": "busybox"}, False)
    assert (made.cpu, made.memory, made.disk, made.image_driver) == (2.0, 100, 0, "docker")
    assert made.name.endswith("-container")
    with pytest.raises(errors.OverQuota, match="cpu: requested 2, in use 2, limit 3"):
        world.accept.create(ME, {"image": "busybox"}, False)


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"image": "Not An Image"}, errors.InvalidImage),
        ({"image_driver": "glance"}, errors.NotOffered),
        ({"nets": [{"network": "n"}]}, errors.NotOffered),
        ({"security_groups": ["g"]}, errors.NotOffered),
        ({"exposed_ports": {"80/tcp": {}}}, errors.NotOffered),
        ({"mounts": [{"type": "volume", "source": "v", "destination": "/v"}]}, errors.NotOffered),
        ({"mounts": [{"type": "bind", "source": "!", "destination": "/v"}]}, errors.InvalidValue),
        ({"registry": "r"}, errors.RegistryNotFound),
        ({"disk": 1}, errors.NotOffered),
        ({"cpu_policy": "dedicated", "cpu": 1.0}, errors.NotOffered),
        ({"cpu_policy": "dedicated"}, errors.InvalidValue),
        ({"requested_host": "nowhere"}, errors.HostNotFound),
        ({"auto_remove": True, "restart_policy": {"Name": "always"}}, errors.InvalidValue),
        ({"memory": 1_000_000}, errors.OverQuota),
        ({"cpu": 21.0}, errors.OverQuota),
        ({"name": "Taken"}, errors.NameInUse),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value.__name__,
)
def test_a_refusal_writes_nothing(make_world, asked, refusal):
    world = make_world(defaults=Defaults(unique_name_scope="project"))
    world.create(name="taken")
    before = world.rows()
    with pytest.raises(refusal):
        world.create(**asked)
    assert world.rows() == before
    check(world)


def test_an_unknown_host_is_a_404():
    assert errors.HostNotFound.status == 404


def test_auto_remove_goes_with_the_policy_that_restarts_nothing(world):
    assert world.create(auto_remove=True, restart_policy={"Name": "no"}).status is Status.RUNNING


@pytest.mark.parametrize(
    ("scope", "mine", "yours"), [("", True, True), ("project", False, True), ("global", False, False)], ids=["none", "project", "global"]
)
def test_within_its_scope_a_name_is_used_once_whatever_its_case(make_world, scope, mine, yours):
    world = make_world(defaults=Defaults(unique_name_scope=scope))
    world.create(name="Web")
    for caller, allowed in ((ME, mine), (OTHER, yours)):
        if allowed:
            world.create(name="web", caller=caller)
        else:
            with pytest.raises(errors.NameInUse):
                world.create(name="web", caller=caller)


def test_who_gave_no_name_is_never_told_that_it_is_in_use(make_world):
    class Stubborn:
        """Chance that has only one idea."""

        def choice(self, among):
            return among[0]

        def randint(self, low, high):
            return low

        def random(self):
            return 0.0

    world = make_world(defaults=Defaults(unique_name_scope="global"), chance=Stubborn())
    names = [world.accept.create(ME, {"image": "busybox"}, False).name for _ in range(3)]
    assert len(set(names)) == 3
    assert all(name.startswith("alpha-1-container") for name in names)


def test_fifty_threads_that_race_for_quota_end_at_exactly_the_limit(make_world):
    world = make_world(defaults=Defaults(quota=Quota(containers=17, cpu=-1, memory=-1, disk=-1)))
    ends = Counter()
    ready = threading.Barrier(50)

    def ask():
        ready.wait()
        try:
            world.accept.create(ME, {"image": "busybox"}, False)
            ends["accepted"] += 1
        except errors.OverQuota:
            ends["refused"] += 1

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == {"accepted": 17, "refused": 33}
    assert world.rows() == Counter(Container=17, Sandbox=17, Action=17)


def test_each_project_has_a_quota_of_its_own(make_world):
    world = make_world(defaults=Defaults(quota=Quota(containers=1, cpu=-1, memory=-1, disk=-1)))
    world.create()
    world.create(caller=OTHER)
    with pytest.raises(errors.OverQuota):
        world.create()


def test_unlimited_is_minus_one(make_world):
    world = make_world(defaults=Defaults(quota=Quota(containers=-1, cpu=-1, memory=-1, disk=-1)))
    assert world.create(cpu=60.0, memory=5_000).status is Status.RUNNING


def test_a_poke_that_is_lost_is_nobodys_error(world):
    world.mute = True
    made = world.create(settle=False)
    world.mute = False
    world.settle()
    assert world.container(made.uuid).status is Status.RUNNING


def test_files_come_with_the_container(world):
    source = base64.b64encode(b"hello").decode()
    made = world.create(mounts=[{"type": "bind", "source": source, "destination": "/etc/hello"}])
    assert [path.read_bytes() for path in (world.folder / "one" / made.uuid).iterdir()] == [b"hello"]
