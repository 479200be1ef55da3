"""Many at once, with the threads of the service itself."""

import threading

import pytest

from tests.invariants import check
from tests.stores import now
from tests.world import ME
from zun import errors
from zun.conductor.accept import Defaults
from zun.domain.action import Caller
from zun.domain.host import Service
from zun.domain.lifecycle import Status
from zun.domain.quota import Quota

PLENTY = Quota(containers=-1, cpu=-1, memory=-1, disk=-1)


def at_once(*tasks):
    """Run all tasks in threads that begin together; answers what each returned or raised."""
    barrier, ends = threading.Barrier(len(tasks)), [None] * len(tasks)

    def run(number, task):
        barrier.wait()
        try:
            ends[number] = task()
        except errors.ZunError as error:
            ends[number] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


@pytest.fixture
def busy(make_world):
    """A cloud whose agents and placer run by themselves."""

    def make(**options):
        return make_world(threads=True, clock=now, **({"defaults": Defaults(quota=PLENTY)} | options))

    return make


def service(world):
    with world.store.read() as tx:
        return tx.find(Service)[0]


def rest(world):
    world.wait_for(lambda: not world.open_actions() and all(c.task_state is None for c in world.containers()))


def test_fifty_creations_at_once_all_end_well(busy):
    world = busy()
    made = at_once(*[lambda: world.create(cpu=0.1, memory=16)] * 50)
    world.wait_for(lambda: all(container.status is Status.RUNNING for container in world.containers()), 60)
    assert len(world.containers()) == len({container.uuid for container in made}) == 50
    rest(world)
    check(world)
    at_once(*[lambda container=container: world.verbs.delete(ME, container, force=False, stop=True) for container in made])
    world.wait_for(lambda: not world.containers(), 60)
    assert not world.engines["one"].things


def test_the_same_creation_by_two_clients_makes_two_containers(busy):
    world = busy()
    at_once(*[lambda: world.create(name="web")] * 2)
    world.wait_for(lambda: [container.status for container in world.containers()] == [Status.RUNNING] * 2)
    rest(world)
    check(world)


def test_the_same_creation_by_two_clients_makes_one_container_where_names_are_unique(busy):
    world = busy(defaults=Defaults(unique_name_scope="global", quota=PLENTY))
    you = Caller(user_id="you", project_id="yours", request_id="req-2")
    ends = at_once(lambda: world.create(name="web"), lambda: world.create(name="WEB", caller=you))
    assert sorted(type(end).__name__ for end in ends) == ["Container", "NameInUse"]
    world.wait_for(lambda: [container.status for container in world.containers()] == [Status.RUNNING])
    rest(world)
    check(world)


@pytest.mark.parametrize("call", ["ensure_sandbox", "ensure_container", "start", "inspect"])
def test_a_deletion_during_a_creation(busy, call):
    world = busy()
    hang = world.engines["one"].hang(call)
    made = world.create()
    if call != "inspect":
        world.wait_for(lambda: world.engines["one"].calls and world.engines["one"].calls[-1][0] == call)
    world.verbs.delete(ME, made, force=True, stop=False)
    hang.release()
    world.wait_for(lambda: not world.containers())
    world.wait_for(lambda: not world.engines["one"].things)
    check(world)


def test_one_verb_by_many_clients_is_accepted_while_its_status_allows_it(busy):
    world = busy()
    made = world.create()
    world.wait_for(lambda: world.container(made.uuid).status is Status.RUNNING)
    rest(world)
    at_once(*[lambda: world.verbs.accept(ME, made, "stop", {})] * 8)
    rest(world)
    world.wait_for(lambda: world.container(made.uuid).status is Status.STOPPED)
    check(world)


def test_updates_at_once_lose_nothing(busy):
    world = busy()
    uuid = world.create(cpu=0.5, memory=64).uuid
    world.wait_for(lambda: world.container(uuid).status is Status.RUNNING)
    rest(world)
    made = world.container(uuid)
    changes = [{"cpu": 0.5 + number / 10} for number in range(1, 5)] + [{"memory": 64 + number} for number in range(1, 5)] + [{"name": "x"}]
    ends = at_once(*[lambda change=change: world.verbs.update(ME, made, change) for change in changes])
    assert not [end for end in ends if isinstance(end, Exception)]
    after = world.container(made.uuid)
    assert (after.name, after.cpu > 0.5, after.memory > 64) == ("x", True, True)
    check(world)


def test_creations_and_quota_and_deletions_at_once_keep_the_books(busy):
    world = busy(defaults=Defaults(quota=Quota(containers=10, cpu=-1, memory=-1, disk=-1)))

    def come_and_go():
        for _ in range(3):
            try:
                made = world.create()
            except errors.OverQuota:
                continue
            world.verbs.delete(ME, made, force=True, stop=False)

    at_once(*[come_and_go] * 8)
    world.wait_for(lambda: not world.containers())
    world.wait_for(lambda: not world.engines["one"].things)
    check(world)


def test_of_two_agents_with_one_hosts_name_the_second_takes_over(busy):
    world = busy()
    made = world.create()
    world.wait_for(lambda: world.container(made.uuid).status is Status.RUNNING)
    rest(world)
    first = service(world).epoch
    world.begin("one")
    world.wait_for(lambda: service(world).epoch != first)
    world.verbs.accept(ME, made, "stop", {})
    world.wait_for(lambda: world.container(made.uuid).status is Status.STOPPED)
    rest(world)
    others = [world.create() for _ in range(8)]
    world.wait_for(lambda: all(world.container(other.uuid).status is Status.RUNNING for other in others))
    rest(world)
    epochs = {action.epoch for other in others for action in world.actions(other)}
    assert epochs == {service(world).epoch}, "the second life did all the work"
    assert first not in epochs
    check(world)


def test_a_slow_container_does_not_keep_the_others_waiting(busy):
    world = busy()
    hang = world.engines["one"].hang("ensure_container")
    slow = world.create()
    world.wait_for(lambda: ("ensure_container", slow.uuid) in world.engines["one"].calls)
    quick = world.create()
    world.wait_for(lambda: world.container(quick.uuid).status is Status.RUNNING)
    assert world.container(slow.uuid).status is Status.CREATING
    hang.release()
    world.wait_for(lambda: world.container(slow.uuid).status is Status.RUNNING)
    rest(world)
    check(world)
