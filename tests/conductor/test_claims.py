"""Another account of hosts beside the rows: whatever becomes of a container, Placement says what its row says."""

import pytest
from msgspec.structs import replace

from tests.drivers.inventory.placements import FakePlacement
from tests.invariants import check
from tests.world import ME
from zun import errors
from zun.conductor import journal
from zun.conductor.place import PATIENCE
from zun.domain.container import Container
from zun.domain.host import Host, Service
from zun.domain.lifecycle import Status
from zun.drivers.inventory.placement import PlacementInventory
from zun.drivers.inventory.providers import Providers
from zun.drivers.inventory.reconcile import Reconciler
from zun.drivers.inventory.rest import Rest


@pytest.fixture
def placement():
    fake = FakePlacement()
    yield fake
    fake.stop()


class Kept:
    """Makes the account of every life of the conductor."""

    def __init__(self, placement):
        self.placement = placement
        self.reconciler = None

    def __call__(self, store, rows):
        rest = Rest(self.placement.adapter())
        providers = Providers(rest)
        self.reconciler = Reconciler(store, rest, providers, clock=rows._clock, every=0, poke=lambda: None)
        return PlacementInventory(rest, providers, rows, store, most=100, follow=self.reconciler.follow)


@pytest.fixture
def kept(placement):
    return Kept(placement)


@pytest.fixture
def world(make_world, kept):
    return make_world(account=kept, hosts=("one", "two"))


def agreed(world, kept):
    """Once all is followed, nothing is amiss."""
    kept.reconciler.run()
    assert kept.reconciler.audit() == []
    check(world)


def test_a_container_has_one_allocation_on_its_host_until_it_is_deleted(world, kept, placement):
    container = world.create(cpu=0.5, memory=64)
    assert placement.taken(container.uuid) == {container.host: {"VCPU": 1, "MEMORY_MB": 64}}
    world.delete(container, force=True)
    agreed(world, kept)
    assert placement.consumers == {}


def test_a_capsule_has_one_for_all_its_containers_that_grows_and_shrinks(world, kept, placement):
    first, second = world.create_capsule({"cpu": 0.75, "memory": 64}, {"cpu": 0.75, "memory": 64})
    assert placement.taken(first.sandbox_uuid) == {first.host: {"VCPU": 2, "MEMORY_MB": 128}}
    added = world.accept.add_container(ME, world.sandbox(first), {"image": "busybox", "cpu": 1.0, "memory": 100})
    assert placement.taken(first.sandbox_uuid) == {first.host: {"VCPU": 3, "MEMORY_MB": 228}}
    world.settle()
    world.verbs.remove_container(ME, world.sandbox(first), world.container(added.uuid))
    world.settle()
    agreed(world, kept)
    assert placement.taken(first.sandbox_uuid) == {first.host: {"VCPU": 2, "MEMORY_MB": 128}}
    world.verbs.delete_capsule(ME, world.sandbox(second))
    world.settle()
    agreed(world, kept)
    assert placement.consumers == {}


@pytest.mark.parametrize("how", ["resize", "update"])
@pytest.mark.parametrize("memory", [32, 200])
def test_other_limits_are_allocated_before_the_engine_has_them(world, kept, placement, how, memory):
    container = world.create(cpu=0.5, memory=64)
    getattr(world.verbs, how)(ME, container, {"memory": memory})
    if memory > 64:
        assert placement.taken(container.uuid)[container.host]["MEMORY_MB"] == memory
    world.settle()
    agreed(world, kept)
    assert placement.taken(container.uuid) == {container.host: {"VCPU": 1, "MEMORY_MB": memory}}


@pytest.mark.parametrize("how", ["resize", "update"])
def test_limits_that_the_engine_refuses_are_given_back(world, kept, placement, how):
    container = world.create(cpu=0.5, memory=64)
    world.engines[container.host].fail("update", errors.EngineError(reason="in use"))
    if how == "update":
        with pytest.raises(errors.LimitsRefused):
            world.verbs.update(ME, container, {"memory": 200})
    else:
        world.verbs.resize(ME, container, {"memory": 200})
    world.settle()
    agreed(world, kept)
    assert placement.taken(container.uuid) == {container.host: {"VCPU": 1, "MEMORY_MB": 64}}


@pytest.mark.parametrize("how", ["resize", "update"])
def test_limits_that_placement_has_no_room_for_are_refused_and_change_nothing(world, kept, placement, how):
    container = world.create(cpu=0.5, memory=64)
    has = placement.provider(container.host)["inventories"]["MEMORY_MB"]
    has.update(total=100, reserved=0, allocation_ratio=1.0)
    with pytest.raises(errors.ClaimRefused, match=f"Placement has no room on host {container.host}"):
        getattr(world.verbs, how)(ME, container, {"memory": 200})
    world.settle()
    assert world.container(container.uuid).memory == 64
    assert placement.taken(container.uuid) == {container.host: {"VCPU": 1, "MEMORY_MB": 64}}


def test_limits_cannot_grow_while_placement_is_away_and_nothing_is_changed(world, placement):
    container = world.create(memory=64)
    placement.answer = lambda method, path: 503
    with pytest.raises(errors.InventoryUnavailable):
        world.verbs.update(ME, container, {"memory": 200})
    assert world.container(container.uuid).memory == 64
    assert world.verbs.update(ME, container, {"memory": 32}).memory == 32


def test_a_create_that_fails_on_its_host_leaves_no_allocation(world, kept, placement):
    for engine in world.engines.values():
        engine.fail("start", errors.EngineError(reason="no such file"))
    container = world.create()
    assert container.status is Status.ERROR
    agreed(world, kept)
    assert placement.consumers == {}


def test_where_placement_has_no_room_the_reason_says_so(world, kept, placement):
    kept.reconciler.run()
    for provider in placement.providers.values():
        provider["inventories"]["MEMORY_MB"]["total"] = provider["inventories"]["MEMORY_MB"]["reserved"] + 1
    container = world.create(memory=512)
    assert container.status is Status.ERROR
    assert container.status_reason == "There are not enough hosts available. The Placement filter left none of 2."
    agreed(world, kept)


def test_what_placement_refuses_on_one_host_is_placed_on_the_next(world, kept, placement):
    """Somebody else, who is in no row of ours, was faster."""
    refused = []

    def answer(method, path):
        if method == "PUT" and path.startswith("/allocations/") and not refused:
            refused.append(path)
            return 409
        return None

    placement.answer = answer
    container = world.create()
    assert container.status is Status.RUNNING
    agreed(world, kept)


def test_a_create_waits_for_placement_and_then_goes_on(world, kept, placement):
    placement.answer = lambda method, path: 503
    container = world.create(settle=False)
    world.place.run()
    world.clock.pass_time(PATIENCE - 20)
    world.heartbeats()
    world.place.run()
    assert world.container(container.uuid).status is Status.CREATING
    placement.answer = lambda method, path: None
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING
    agreed(world, kept)


def test_a_create_that_has_waited_too_long_is_in_error_and_says_why(world, kept, placement):
    placement.answer = lambda method, path: 503
    container = world.create(settle=False)
    world.clock.pass_time(PATIENCE + 1)
    world.heartbeats()
    world.place.run()
    after = world.container(container.uuid)
    assert after.status is Status.ERROR
    assert after.status_reason == "No host could be chosen: Placement does not answer: 503 out of order"
    placement.answer = lambda method, path: None
    agreed(world, kept)


def test_while_placement_is_away_it_is_asked_once_a_round(world, placement):
    for _ in range(5):
        world.create(settle=False)
    asked = []
    placement.answer = lambda method, path: asked.append(path) or 503
    world.place.run()
    assert len(asked) == 1


def test_a_delete_ends_while_placement_is_away_and_is_followed_later(world, kept, placement):
    container = world.create()
    placement.answer = lambda method, path: 0
    world.delete(container, force=True)
    assert world.containers() == []
    kept.reconciler.run()
    placement.answer = lambda method, path: None
    agreed(world, kept)
    assert placement.consumers == {}


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("calls", range(3))
def test_a_conductor_that_dies_while_it_places_loses_and_leaks_nothing(world, kept, placement, calls, answered):
    """After so many calls about allocations: Placement hears no other one, or hears it and cannot answer."""
    heard, serve = [], placement.serve

    def answer(method, path):
        return 0 if len(heard) >= calls and not answered else None

    def listen(method, path, *given):
        done = serve(method, path, *given)
        heard.extend([path] if path.startswith("/alloc") else [])
        if answered and len(heard) > calls:
            raise ConnectionError
        return done

    placement.serve, placement.answer = listen, answer
    container = world.create(settle=False)
    world.place.run()
    placement.serve, placement.answer = serve, lambda method, path: None
    world.begin_conductor()
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING
    agreed(world, kept)
    assert list(placement.taken(container.uuid)) == [world.container(container.uuid).host]
    world.delete(container, force=True)
    agreed(world, kept)
    assert placement.consumers == {}


def test_a_claim_whose_conductor_died_does_not_keep_its_container_from_the_only_room(make_world, kept, placement):
    world = make_world(account=kept, hosts=("one",))
    kept.reconciler.run()
    container = world.create(memory=4000, settle=False)
    world.place._store = _Dying(world.store)
    with pytest.raises(RuntimeError):
        world.place.run()
    assert placement.taken(container.uuid) != {}
    world.begin_conductor()
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING
    agreed(world, kept)


class _Dying:
    """A store whose process ends when it is to write."""

    def __init__(self, store):
        self.read = store.read

    def settle(self, decide):
        raise RuntimeError("killed")


def test_a_host_that_closes_while_it_is_claimed_gets_nothing(world, kept, placement):
    claimed = []

    def answer(method, path):
        if method == "PUT" and path.startswith("/allocations/") and not claimed:
            claimed.append(path)
            with world.store.write() as tx:
                row = tx.find(Service, {"host": "one"})[0]
                tx.save(replace(row, disabled=True))
        return

    placement.answer = answer
    container = world.create()
    assert container.status is Status.RUNNING
    assert container.host == "two"
    agreed(world, kept)


def test_a_host_that_is_gone_for_good_leaves_neither_allocations_nor_a_provider(world, kept, placement):
    container = world.create(requested_host="one")
    world.kill("one")
    world.verbs.delete(ME, container, force=True, stop=False)
    with world.store.write() as tx:
        for service in tx.find(Service, {"host": "one"}):
            tx.drop(service)
        for row in tx.find(Host, {"hostname": "one"}):
            journal.erase(tx, tx.find(Container, {"uuid": container.uuid})[0], world.verbs._inventory)
            tx.drop(row)
    kept.reconciler.run()
    assert placement.consumers == {}
    assert [each["name"] for each in placement.providers.values()] == ["two"]
