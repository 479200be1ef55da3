"""What operators decide: limits that nobody can race, hosts that get no work, hosts that are not expected back."""

import threading
from collections import Counter

import pytest

from tests.invariants import check
from tests.world import DOWN_TIME, ME
from zun import errors
from zun.conductor.admin import Admin
from zun.domain.action import Action, Caller
from zun.domain.container import Container
from zun.domain.host import COMPUTE, Host, Service
from zun.domain.lifecycle import Status
from zun.domain.quota import ClassLimit, ProjectLimit
from zun.domain.sandbox import Sandbox
from zun.drivers.inventory.local import LocalInventory

OTHER = Caller(user_id="you", project_id="yours", request_id="req-2")


def operator(world):
    return Admin(
        world.store,
        LocalInventory(world.store, world.clock, DOWN_TIME),
        clock=world.clock,
        configured=world.defaults.quota,
        service_down_time=DOWN_TIME,
        sweep=world.sweep.run,
    )


def rows(world, entity):
    with world.store.read() as tx:
        return tx.find(entity)


# -- limits ---------------------------------------------------------------------------------------


def race(count, do):
    """``count`` threads do it at once; how often each of them ended in what."""
    ends = Counter()
    ready = threading.Barrier(count)

    def run(number):
        ready.wait()
        try:
            do(number)
            ends["accepted"] += 1
        except errors.OverQuota:
            ends["refused"] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def test_two_hundred_threads_against_a_quota_of_ten_end_with_ten(world):
    operator(world).limit_project("mine", {"containers": 10, "cpu": -1, "memory": -1})
    assert race(200, lambda _: world.accept.create(ME, {"image": "busybox"}, False)) == {"accepted": 10, "refused": 190}
    assert world.rows() == Counter(Container=10, Sandbox=10, Action=10)
    world.settle()
    check(world)


def test_threads_that_change_the_limits_meanwhile_never_let_in_one_too_many(world):
    admin = operator(world)
    admin.limit_project("mine", {"containers": 5, "cpu": -1, "memory": -1})

    def do(number):
        if number % 5 == 0:
            admin.limit_project("mine", {"containers": number % 6})
        else:
            world.accept.create(ME, {"image": "busybox"}, False)

    race(50, do)
    assert world.rows()["Container"] <= 5
    assert len(rows(world, ProjectLimit)) == 3


def test_a_project_and_a_resource_have_one_row_however_many_set_it_at_once(world):
    admin = operator(world)
    assert race(30, lambda number: admin.limit_project("mine", {"cpu": number})) == {"accepted": 30}
    assert race(30, lambda number: admin.limit_class("default", {"cpu": number})) == {"accepted": 30}
    assert len(rows(world, ProjectLimit)) == 1
    assert len(rows(world, ClassLimit)) == 1


def test_the_store_itself_refuses_a_second_row(world):
    operator(world).limit_project("mine", {"cpu": 1})
    with pytest.raises(errors.Duplicate), world.store.write() as tx:
        tx.add(ProjectLimit(uuid="x", project_id="mine", resource="cpu", hard_limit=2))


def test_the_class_default_holds_for_every_project_without_limits_of_its_own(world):
    admin = operator(world)
    admin.limit_class("default", {"containers": 1})
    admin.limit_project("yours", {"containers": 2})
    world.create()
    with pytest.raises(errors.OverQuota, match="containers: requested 1, in use 1, limit 1"):
        world.create()
    world.create(caller=OTHER), world.create(caller=OTHER)
    admin.unlimit_project("yours")
    with pytest.raises(errors.OverQuota):
        world.create(caller=OTHER)


def test_what_a_project_has_beyond_its_new_limits_it_keeps_and_may_make_smaller(world):
    made = world.create(memory=512)
    operator(world).limit_project("mine", {"memory": 100})
    with pytest.raises(errors.OverQuota):
        world.verbs.update(ME, made, {"memory": 600})
    assert world.verbs.update(ME, world.container(made.uuid), {"memory": 300}).memory == 300
    assert world.container(made.uuid).status is Status.RUNNING


# -- services -------------------------------------------------------------------------------------


def test_a_disabled_host_gets_no_new_work_and_keeps_what_it_has(world):
    admin = operator(world)
    before = world.create()
    assert admin.disable("one", COMPUTE, "new disk").disabled_reason == "new disk"
    assert "service filter" in world.create().status_reason
    assert world.container(before.uuid).status is Status.RUNNING
    assert admin.enable("one", COMPUTE).disabled_reason is None
    assert world.create().status is Status.RUNNING


def test_a_heartbeat_does_not_enable_a_disabled_host(world):
    operator(world).disable("one", COMPUTE, None)
    world.lives["one"].beat("agent-heartbeat")
    world.restart("one")
    assert rows(world, Service)[0].disabled


def test_a_host_that_is_forced_down_gets_no_work_and_its_containers_are_unknown_at_once(world):
    made = world.create()
    operator(world).force_down("one", COMPUTE, True)
    assert world.container(made.uuid).status is Status.UNKNOWN
    with pytest.raises(errors.HostNotUp):
        world.verbs.top(made, None)
    world.heartbeats(), world.settle()
    assert world.container(made.uuid).status is Status.UNKNOWN, "a host that lives all the same does not say otherwise"
    operator(world).force_down("one", COMPUTE, False)
    world.heartbeats(), world.settle()
    assert world.container(made.uuid).status is Status.RUNNING
    assert world.create().status is Status.RUNNING


@pytest.mark.parametrize("status", ["up", "down"])
def test_a_host_with_containers_is_not_forgotten(world, status):
    world.create()
    if status == "down":
        operator(world).force_down("one", COMPUTE, True)
    with pytest.raises(errors.HostInUse, match=r"Host one has 1 container\(s\)"):
        operator(world).forget("one", COMPUTE)
    assert len(rows(world, Service)) == len(rows(world, Host)) == len(rows(world, Container)) == 1


def test_a_host_that_is_up_is_left_to_finish_its_deletions(world):
    made = world.create()
    world.verbs.delete(ME, made, force=True, stop=False)
    with pytest.raises(errors.HostInUse):
        operator(world).forget("one", COMPUTE)
    world.settle()
    operator(world).forget("one", COMPUTE)
    assert world.rows()["Container"] == 0


def test_a_host_that_burnt_down_is_forgotten_with_the_containers_that_were_deleted_there(world):
    made, running = world.create(), world.create()
    world.kill("one")
    operator(world).force_down("one", COMPUTE, True)
    world.verbs.delete(ME, world.container(made.uuid), force=True, stop=False)
    with pytest.raises(errors.HostInUse):
        operator(world).forget("one", COMPUTE)
    assert world.container(made.uuid) is not None, "a refusal forgets nothing"
    world.verbs.delete(ME, world.container(running.uuid), force=True, stop=False)
    operator(world).forget("one", COMPUTE)
    assert [rows(world, entity) for entity in (Container, Sandbox, Action, Service, Host)] == [[]] * 5


def test_a_host_that_comes_back_after_all_removes_what_no_row_knows(world):
    made = world.create()
    world.kill("one")
    operator(world).force_down("one", COMPUTE, True)
    world.verbs.delete(ME, world.container(made.uuid), force=True, stop=False)
    operator(world).forget("one", COMPUTE)
    world.begin("one")
    world.settle()
    assert [service.host for service in rows(world, Service)] == ["one"]
    check(world)
    assert world.create().status is Status.RUNNING


def test_a_host_without_a_service_takes_nothing_until_it_tells_of_itself_again(world):
    operator(world).forget("one", COMPUTE)
    assert "No compute host has reported yet" in world.create().status_reason
    world.lives["one"].beat("agent-heartbeat")
    assert world.create().status is Status.RUNNING
