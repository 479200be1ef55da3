"""What hosts tell: believed of their own containers only, of their present life only, and of the newest incarnation."""

import pytest
from msgspec.structs import replace

from tests.invariants import check
from zun import errors
from zun.domain.container import Container
from zun.domain.host import Host, Service
from zun.domain.lifecycle import EngineState, Observation, Status
from zun.interfaces.rpc import HostReport, Outcome, SandboxFacts
from zun.interfaces.runtime import HostFacts

REPORT = HostReport(facts=HostFacts(cpus=4, mem_total=4096, runtimes=["runc"]), availability_zone="mars", reserved_memory=96)


def epoch(world, host="one"):
    with world.store.read() as tx:
        return tx.find(Service, {"host": host})[0].epoch


def seen(container, state=EngineState.EXITED, **known):
    return Observation(**{"container_uuid": container.uuid, "state": state, "incarnation": 1, "engine_id": "e"} | known)


def test_a_report_makes_a_host_and_its_service(make_world):
    world = make_world(hosts=())
    world.desk.hello("new", "a", REPORT)
    world.desk.heartbeat("new", "a", REPORT)
    with world.store.read() as tx:
        (host,), (service,) = tx.find(Host), tx.find(Service)
    assert (host.hostname, host.cpus, host.runtimes, host.reserved_memory) == ("new", 4, ["runc"], 96)
    assert (service.host, service.availability_zone, service.report_count, service.epoch) == ("new", "mars", 2, "a")
    assert service.last_seen_up is not None


def test_a_life_learns_at_its_beginning_what_its_host_is_in_charge_of(make_world):
    world = make_world(hosts=("one", "two"))
    container = world.create(requested_host="one")
    world.create(requested_host="two")
    (charge,) = world.desk.hello("one", "next", REPORT)
    assert [one.uuid for one in charge.containers] == [container.uuid]


def test_news_of_another_hosts_container_is_dropped(make_world):
    world = make_world(hosts=("one", "two"))
    container = world.create(requested_host="one")
    world.desk.observe("two", epoch(world, "two"), [seen(container)], [])
    world.desk.observe("two", epoch(world, "two"), [], [SandboxFacts(sandbox_uuid=container.sandbox_uuid, engine_id="stolen")])
    assert world.container(container.uuid) == container
    assert world.sandbox(container).engine_id != "stolen"


def test_news_of_an_earlier_life_is_dropped(world):
    container = world.create()
    before = epoch(world)
    world.restart()
    world.settle()
    world.desk.observe("one", before, [seen(container)], [])
    assert world.container(container.uuid).status is Status.RUNNING


def test_a_report_that_comes_after_a_newer_one_is_old_news(world):
    """Over a broker a report whose answer was lost comes again, and its first copy may be written down at last after both."""
    container = world.create()
    newest = 1000
    world.desk.observe("one", epoch(world), [seen(container)], [], newest)
    late = seen(container, EngineState.RUNNING)
    world.desk.observe("one", epoch(world), [late], [], newest - 1)
    world.desk.observe("one", epoch(world), [late], [], newest)
    assert world.container(container.uuid).status is Status.STOPPED
    world.desk.observe("one", epoch(world), [late], [], newest + 1)
    assert world.container(container.uuid).status is Status.RUNNING


def test_what_was_seen_before_an_end_was_told_is_old_news_after_it(world):
    container = world.create()
    world.desk.finish("one", epoch(world), Outcome(action_uuid="of long ago"), 1000)
    world.desk.observe("one", epoch(world), [seen(container)], [], 999)
    assert world.container(container.uuid).status is Status.RUNNING


def test_another_life_numbers_its_reports_anew(world):
    container = world.create()
    world.desk.observe("one", epoch(world), [seen(container, EngineState.RUNNING)], [], 1000)
    world.desk.hello("one", "next", REPORT)
    world.desk.observe("one", "next", [seen(container)], [], 1)
    assert world.container(container.uuid).status is Status.STOPPED


def test_news_of_an_earlier_incarnation_is_dropped_and_heals_nothing(world):
    container = world.create(auto_heal=True)
    world.do("reboot", container)
    world.desk.observe("one", epoch(world), [seen(container), seen(container, EngineState.MISSING)], [])
    assert world.container(container.uuid).status is Status.RUNNING
    assert [action.action for action in world.actions(container)] == ["create", "reboot"]


def test_news_of_what_is_gone_is_dropped(world):
    container = world.create()
    world.delete(container, stop=True)
    world.desk.observe("one", epoch(world), [seen(container)], [SandboxFacts(sandbox_uuid=container.sandbox_uuid)])
    assert not any(world.rows().values())


def test_a_death_is_learnt_from_the_engines_news(world):
    container = world.create()
    world.engines["one"].die(container.uuid, 3, "out of luck")
    world.settle()
    ended = world.container(container.uuid)
    assert (ended.status, ended.exit_code, ended.error) == (Status.STOPPED, 3, "out of luck")
    check(world)


def test_a_death_whose_news_was_missed_is_found_by_the_scan(world):
    container = world.create()
    world.engines["one"].die(container.uuid, 3)
    world.lives["one"].runtime.miss_news()
    world.settle()
    assert world.container(container.uuid).status is Status.RUNNING
    world.scans()
    assert world.container(container.uuid).status is Status.STOPPED
    check(world)


@pytest.mark.parametrize("how", ["unheard", "unanswered", "twice"])
def test_news_that_is_lost_on_its_way_is_told_again(world, how):
    container = world.create()
    world.lives["one"].wire.disturb("observe", how)
    world.engines["one"].die(container.uuid, 3)
    world.settle()
    assert world.container(container.uuid).status is Status.STOPPED
    check(world)


def test_nobodys_sandboxes_are_named(make_world):
    world = make_world(hosts=("one", "two"))
    mine, theirs = world.create(requested_host="one"), world.create(requested_host="two")
    assert world.desk.unknown("one", [mine.sandbox_uuid, theirs.sandbox_uuid, "nothing"]) == [theirs.sandbox_uuid, "nothing"]


def test_what_carries_our_mark_and_no_row_knows_is_removed(world):
    container = world.create()
    with world.store.write() as tx:
        for action in world.actions():
            tx.drop(action)
        tx.drop(tx.get(Container, container.uuid))
        tx.drop(world.sandbox(container))
    world.restart()
    world.settle()
    assert not world.engines["one"].things


def test_what_a_new_agent_finds_changed_behind_its_back_is_shown(world):
    container = world.create()
    world.kill()
    world.engines["one"].die(container.uuid, 9)
    world.begin()
    world.settle()
    assert (world.container(container.uuid).status, world.container(container.uuid).exit_code) == (Status.STOPPED, 9)
    check(world)


def test_the_answer_to_a_heartbeat_names_what_is_unknown(world):
    container = world.create()
    assert world.desk.heartbeat("one", epoch(world), REPORT) == []
    with world.store.write() as tx:
        tx.save(replace(tx.get(Container, container.uuid), status=Status.UNKNOWN))
    assert world.desk.heartbeat("one", epoch(world), REPORT) == [container.uuid]
    with pytest.raises(errors.Superseded):
        world.desk.heartbeat("one", "older", REPORT)
