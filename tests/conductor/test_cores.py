"""Cores of one's own: given, counted apart, changed, given back; never to two at once."""

import threading

import pytest

from tests.conductor.test_limits import Gone
from tests.invariants import check
from tests.world import ME
from zun import errors
from zun.compute.cores import Cores
from zun.conductor.accept import Defaults
from zun.domain.lifecycle import Status
from zun.domain.quota import Quota

#: four cores on two nodes, of which three are given away
CORES = Cores(dedicated=[1, 2, 3], shared=[0], online=[0, 1, 2, 3], nodes=[[0, 1], [2, 3]])


@pytest.fixture
def world(make_world):
    return make_world(cores={"one": CORES})


def own(world, cpu=1.0, **asked):
    return world.create(cpu_policy="dedicated", cpu=cpu, **asked)


def held(world, container):
    return world.sandbox(container).cpuset


def runs_on(world, container):
    return next(thing for thing in world.engines["one"].things.values() if thing.container_uuid == container.uuid).cpuset


def test_the_lowest_free_cores_of_a_node_that_has_enough(world):
    two, one = own(world, 2.0), own(world)
    assert (held(world, two), held(world, one)) == ([2, 3], [1])
    assert (runs_on(world, two), runs_on(world, one)) == ([2, 3], [1])
    shared = world.create()
    assert (held(world, shared), runs_on(world, shared)) == ([], [0])
    check(world)


def test_a_capsule_shares_the_cores_that_are_for_all(world):
    for container in world.create_capsule({}, {}):
        assert runs_on(world, container) == [0]
    check(world)


def test_without_room_the_reason_names_the_cores(world):
    own(world, 3.0)
    late = own(world)
    assert late.status is Status.ERROR
    assert late.status_reason == "There are not enough hosts available. The dedicated cores filter left none of 1."
    assert world.create().status is Status.RUNNING
    check(world)


def test_shared_and_own_cores_are_counted_apart(make_world):
    plenty = Defaults(quota=Quota(containers=9, cpu=9, memory=9000, disk=9))
    world = make_world(cores={"one": CORES}, cpu_allocation_ratio=1.0, defaults=plenty)
    own(world, 3.0)
    assert world.create(cpu=1.0).status is Status.RUNNING
    assert "room filter" in world.create(cpu=0.1).status_reason
    check(world)


def test_the_quota_counts_own_cores_like_all_others(make_world):
    world = make_world(cores={"one": CORES}, defaults=Defaults(quota=Quota(containers=9, cpu=2, memory=9000, disk=9)))
    kept = own(world, 2.0)
    with pytest.raises(errors.OverQuota):
        own(world)
    with pytest.raises(errors.OverQuota):
        world.verbs.update(ME, kept, {"cpu": 3.0})
    check(world)


@pytest.mark.parametrize("cpu", [0.5, 1.5])
def test_only_whole_cores_can_be_had(world, cpu):
    with pytest.raises(errors.InvalidValue, match="'cpu': must be a whole number of cores"):
        own(world, cpu)
    container = own(world)
    for change in (world.verbs.update, world.verbs.resize):
        with pytest.raises(errors.InvalidValue, match="'cpu': must be a whole number"):
            change(ME, container, {"cpu": cpu})
    check(world)


@pytest.mark.parametrize("hints", [{"cpu_policy": "dedicated"}, {"cpu_policy": "dedicated", "label:x": None}])
def test_the_policy_may_be_a_hint(world, hints):
    container = world.create(cpu=1.0, hints={key: value for key, value in hints.items() if value})
    assert (container.cpu_policy, held(world, container)) == ("dedicated", [1])


@pytest.mark.parametrize(
    "asked",
    [
        {"hints": {"cpu_policy": "greedy"}},
        {"hints": {"cpu_policy": ["dedicated"]}},
        {"hints": {"cpu_policy": "dedicated"}, "cpu_policy": "shared"},
    ],
)
def test_a_hint_that_is_no_policy_or_another_one_is_refused(world, asked):
    with pytest.raises(errors.InvalidValue, match=r"hints\.cpu_policy"):
        world.create(cpu=1.0, **asked)


def test_a_deletion_gives_the_cores_back(world):
    first = own(world, 3.0)
    world.delete(first, stop=True)
    assert held(world, own(world, 3.0)) == [1, 2, 3]
    check(world)


def test_a_create_that_failed_gives_them_back(world):
    failed = own(world, 3.0, image="nosuch")
    assert (failed.status, failed.host, held(world, failed)) == (Status.ERROR, None, [])
    assert held(world, own(world, 3.0)) == [1, 2, 3]
    check(world)


def test_what_cannot_be_undone_keeps_its_cores_until_it_is(world):
    engine = world.engines["one"]
    engine.fail("start", errors.EngineError(reason="no"))
    engine.fail("remove", errors.EngineError(reason="no"), times=2)
    failed = own(world, 3.0, settle=False)
    for _ in range(3):
        world.turn()
    assert world.container(failed.uuid).status is Status.ERROR
    late = own(world, settle=False)
    world.place.run()
    assert "dedicated cores" in world.container(late.uuid).status_reason
    world.settle()
    assert held(world, failed) == []
    assert own(world, 3.0).status is Status.RUNNING
    check(world)


def test_a_start_after_that_gets_cores_anew(world):
    failed = own(world, 2.0, image="nosuch")
    other = own(world, 2.0)
    engine_image = world.engines["one"].images
    engine_image["docker.io/library/nosuch:latest"] = next(iter(engine_image.values()))
    assert "dedicated cores" in world.do("start", failed).status_reason
    world.delete(other, force=True)
    again = world.do("rebuild", failed)
    assert (again.host, held(world, again)) == ("one", [2, 3])
    check(world)


def test_a_rebuild_and_a_reboot_keep_the_cores(world):
    own(world)
    container = own(world)
    before = held(world, container)
    assert before == [2]
    world.delete(world.containers()[0], force=True)
    for verb in ("rebuild", "reboot"):
        container = world.do(verb, container)
        assert (container.status, held(world, container), runs_on(world, container)) == (Status.RUNNING, before, before)
    check(world)


# -- other amounts --------------------------------------------------------------------------------


@pytest.fixture(params=["update", "resize"])
def change(request, world):
    """Changes a container's cores, by PATCH or by the call that does it later."""

    def do(container, **changes):
        getattr(world.verbs, request.param)(ME, world.container(container.uuid), changes)
        world.settle()
        check(world)

    return do


def test_more_cores_are_taken_at_once_and_near_the_others(world, change):
    own(world)
    container = own(world)
    change(container, cpu=2.0)
    assert held(world, container) == runs_on(world, container) == [2, 3]
    assert world.container(container.uuid).cpu == 2.0


def test_fewer_cores_are_those_that_it_had_first(world, change):
    container = own(world, 2.0)
    change(container, cpu=3.0)
    assert held(world, container) == [2, 3, 1]
    change(container, cpu=1.0)
    assert held(world, container) == runs_on(world, container) == [2]
    assert held(world, own(world, 2.0)) == [1, 3]


def test_memory_alone_leaves_the_cores_as_they_are(world, change):
    container = own(world)
    change(container, memory=64)
    assert held(world, container) == runs_on(world, container) == [1]


def test_more_than_there_are_is_a_conflict_and_changes_nothing(world):
    container = own(world, 2.0)
    own(world)
    for verb in (world.verbs.update, world.verbs.resize):
        with pytest.raises(errors.InsufficientCapacity, match="no room for pcpu"):
            verb(ME, container, {"cpu": 3.0})
    assert world.container(container.uuid).cpu == 2.0
    assert len(world.actions(container)) == 1
    check(world)


@pytest.mark.parametrize(("before", "after"), [(1.0, 2.0), (2.0, 1.0)], ids=["more", "fewer"])
def test_what_the_engine_refuses_is_given_back(world, change, before, after):
    container = own(world, before)
    cores = held(world, container)
    world.engines["one"].fail("update", errors.EngineError(reason="in use"))
    try:
        change(container, cpu=after)
    except errors.LimitsRefused:
        world.settle()
    assert (world.container(container.uuid).cpu, held(world, container), runs_on(world, container)) == (before, cores, cores)
    check(world)


def test_cores_that_are_lost_are_free_once_the_engine_has_left_them(world):
    container = own(world, 3.0)
    world.verbs.resize(ME, container, {"cpu": 1.0})
    late = own(world, settle=False)
    world.place.run()
    assert "dedicated cores" in world.container(late.uuid).status_reason
    world.settle()
    assert held(world, container) == [1]
    assert own(world, 2.0).status is Status.RUNNING
    check(world)


def test_cores_that_are_given_back_are_free_once_the_engine_has_left_them(world):
    container = own(world)
    engine = world.engines["one"]
    # It sets them, says no, and will not set the ones from before for a while.
    engine.fail("update", errors.EngineError(reason="no"), after=True)
    engine.fail("update", errors.EngineError(reason="no"), times=4)
    world.verbs.resize(ME, container, {"cpu": 2.0})
    while not engine.calls or world.container(container.uuid).cpu != 1.0:
        world.turn()
    assert runs_on(world, container) == held(world, container) == [1, 2]
    late = own(world, 2.0, settle=False)
    world.place.run()
    assert "dedicated cores" in world.container(late.uuid).status_reason
    world.settle()
    assert runs_on(world, container) == held(world, container) == [1]
    check(world)


def test_one_change_of_cores_follows_the_other(world):
    container = own(world)
    world.verbs.resize(ME, container, {"cpu": 2.0})
    for verb in (world.verbs.update, world.verbs.resize):
        with pytest.raises(errors.CoresNotSettled):
            verb(ME, world.container(container.uuid), {"cpu": 3.0})
    world.verbs.resize(ME, world.container(container.uuid), {"memory": 64})
    world.settle()
    world.verbs.resize(ME, world.container(container.uuid), {"cpu": 3.0})
    world.settle()
    assert len(runs_on(world, container)) == 3
    check(world)


@pytest.mark.parametrize("heard", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize(("before", "after"), [(1.0, 2.0), (2.0, 1.0)], ids=["more", "fewer"])
def test_an_update_whose_answer_is_lost_is_taken_back(world, heard, before, after):
    container = own(world, before)
    cores = held(world, container)
    world.engines["one"].fail("update", errors.EngineUnavailable(reason="reset by peer"), after=heard)
    with pytest.raises(errors.EngineUnavailable):
        world.verbs.update(ME, container, {"cpu": after})
    assert len(held(world, container)) == 2, "all that it may be running on"
    world.settle()
    assert held(world, container) == runs_on(world, container) == cores
    check(world)


@pytest.mark.parametrize("set_before", [False, True], ids=["not asked", "asked"])
@pytest.mark.parametrize(("before", "after"), [(1.0, 2.0), (2.0, 1.0)], ids=["more", "fewer"])
def test_an_update_whose_process_ends_in_the_middle_is_ended_by_the_host(world, set_before, before, after):
    container = own(world, before)

    class Ending:
        def __init__(self, real):
            self.real = real

        def on(self, host):
            return self

        def look(self):
            pass

        def update(self, *asked):
            if set_before:
                self.real.on("one").update(*asked)
            raise Gone

    real, world.agents = world.agents, Ending(world.agents)
    world.begin_conductor()
    with pytest.raises(Gone):
        world.verbs.update(ME, container, {"cpu": after})
    world.agents = real
    world.begin_conductor()
    world.settle()
    assert len(held(world, container)) == after
    check(world)


def test_an_agent_that_dies_while_it_sets_them_is_followed_by_one_that_does(world):
    container = own(world)
    world.engines["one"].fail("update", errors.EngineUnavailable(reason="gone"))
    world.verbs.resize(ME, container, {"cpu": 2.0})
    world.turn()
    world.restart()
    world.settle()
    assert held(world, container) == runs_on(world, container) == [1, 2]
    check(world)


def test_a_deletion_during_a_change_gives_all_of_them_back(world):
    container = own(world)
    world.verbs.resize(ME, container, {"cpu": 3.0})
    world.delete(world.container(container.uuid), force=True)
    assert held(world, own(world, 3.0)) == [1, 2, 3]
    check(world)


# -- many at once ---------------------------------------------------------------------------------


def test_of_many_creations_at_once_as_many_get_cores_as_there_are(make_world):
    world = make_world(threads=True, cores={"one": CORES}, defaults=Defaults(quota=Quota(containers=-1, cpu=-1, memory=-1, disk=-1)))
    barrier = threading.Barrier(12)

    def make():
        barrier.wait()
        own(world)

    threads = [threading.Thread(target=make) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.wait_for(lambda: len(world.containers()) == 12 and not world.open_actions(), 60)
    world.wait_for(lambda: all(container.task_state is None for container in world.containers()))
    statuses = [container.status for container in world.containers()]
    assert (statuses.count(Status.RUNNING), statuses.count(Status.ERROR)) == (3, 9)
    check(world)


# -- the operator decides anew --------------------------------------------------------------------


def test_a_host_that_gives_away_other_cores_leaves_those_that_it_gave(world, caplog):
    container = own(world)
    world.cores["one"] = Cores(dedicated=[2], shared=[0, 1, 3], online=[0, 1, 2, 3])
    world.restart()
    world.settle()
    assert held(world, container) == runs_on(world, container) == [1]
    assert "keeps the cores 1, which [compute] cpu_dedicated_set does not name any more" in caplog.text
    # It counts as given away until it is gone.
    assert "dedicated cores" in own(world).status_reason
    world.delete(container, force=True)
    assert held(world, own(world)) == [2]


def test_containers_without_cores_of_their_own_are_moved_to_those_that_are_for_all(make_world):
    world = make_world(cores={"one": Cores(online=[0, 1, 2, 3])})
    running, made = world.create(), world.create(run=False)
    (member,) = world.create_capsule({})
    assert runs_on(world, running) == []
    world.cores["one"] = CORES
    world.restart()
    world.settle()
    assert [runs_on(world, one) for one in (running, made, member)] == [[0]] * 3
    check(world)
    world.cores["one"] = Cores(online=[0, 1, 2, 3])
    world.restart()
    world.settle()
    assert [runs_on(world, one) for one in (running, made, member)] == [[0, 1, 2, 3]] * 3
    assert world.container(running.uuid).status is Status.RUNNING


def test_an_engine_that_will_not_move_them_is_asked_again(make_world):
    world = make_world(cores={"one": Cores(online=[0, 1, 2, 3])})
    running = world.create()
    world.cores["one"] = CORES
    world.engines["one"].fail("update", errors.EngineError(reason="no"))
    world.restart()
    world.settle()
    assert runs_on(world, running) == []
    world.restart()
    world.settle()
    assert runs_on(world, running) == [0]
