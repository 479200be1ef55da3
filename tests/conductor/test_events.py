"""What is told of a life, and how long it is kept."""

from datetime import timedelta

import pytest

from tests.invariants import check
from tests.world import ME
from zun import errors
from zun.conductor.events import EVERY, Forget, after
from zun.conductor.journal import GIVEN_UP
from zun.domain.event import Event, Kind, What
from zun.domain.lifecycle import Status
from zun.interfaces.runtime import EngineImage
from zun.interfaces.store import Page


def told(world):
    with world.store.read() as tx:
        return [(event.what.value, event.action or event.status, event.task_state) for event in tx.find(Event)]


def of(world, kind, *names):
    with world.store.read() as tx:
        return [tuple(getattr(event, name) for name in names) for event in tx.find(Event, {"kind": kind}, Page(sort_key="cursor"))]


def test_a_whole_life_is_told_in_order(world):
    container = world.create()
    world.do("stop", container)
    world.delete(container)
    assert told(world) == [
        ("created", "Creating", None),
        ("accepted", "create", None),
        ("status", "Creating", "container_creating"),
        ("started", "create", "container_creating"),
        ("status", "Running", None),
        ("finished", "create", None),
        ("accepted", "stop", None),
        ("status", "Running", "container_stopping"),
        ("started", "stop", "container_stopping"),
        ("status", "Stopped", None),
        ("finished", "stop", None),
        ("status", "Deleting", "container_deleting"),
        ("accepted", "delete", "container_deleting"),
        ("started", "delete", "container_deleting"),
        ("finished", "delete", "container_deleting"),
        ("deleted", "Deleting", "container_deleting"),
    ]
    with world.store.read() as tx:
        assert [event.cursor for event in tx.find(Event)] == list(range(1, 17))
        assert {event.request_id for event in tx.find(Event)} == {ME.request_id}


def test_a_death_is_told_with_its_code(world):
    container = world.create()
    world.engines["one"].die(container.uuid, 3)
    world.settle()
    with world.store.read() as tx:
        last = tx.find(Event)[-1]
    assert (last.what, last.old_status, last.status, last.exit_code, last.request_id) == (
        What.STATUS,
        Status.RUNNING,
        Status.STOPPED,
        3,
        None,
    )
    check(world)


def test_work_that_fails_is_told_with_its_reason_and_its_request(world):
    container = world.create(image="nowhere")
    assert container.status is Status.ERROR
    *_, status, failed = of(world, Kind.CONTAINER, "what", "action", "status", "reason", "request_id")
    assert status == (What.STATUS, None, "Error", container.status_reason, ME.request_id)
    assert failed == (What.FAILED, "create", "Error", container.status_reason, ME.request_id)


def test_work_that_no_host_takes_has_failed_and_was_never_started(make_world):
    world = make_world(hosts=())
    world.create()
    assert [what for (what,) in of(world, Kind.CONTAINER, "what")] == [What.CREATED, What.ACCEPTED, What.STATUS, What.FAILED]
    check(world)


def test_what_waits_and_is_given_up_for_a_deletion_is_told_to_have_failed(world):
    container = world.create()
    world.do("stop", container, settle=False)
    world.delete(container, force=True)
    failed = [each for each in of(world, Kind.CONTAINER, "what", "action", "reason") if each[0] is What.FAILED]
    assert failed == [(What.FAILED, "stop", GIVEN_UP)]


def test_other_names_and_limits_are_told(world):
    container = world.create()
    renamed = world.verbs.rename(ME, container, "other")
    world.verbs.update(ME, renamed, {"memory": 64})
    updated = [each for each in of(world, Kind.CONTAINER, "what", "name", "status", "request_id") if each[0] is What.UPDATED]
    assert updated == [(What.UPDATED, "other", "Running", ME.request_id)] * 2
    world.verbs.update(ME, world.container(container.uuid), {"memory": 64})
    assert len([each for each in of(world, Kind.CONTAINER, "what") if each[0] is What.UPDATED]) == 2


def test_a_capsule_is_told_of_as_a_whole_and_its_containers_by_themselves(world):
    first, _ = world.create_capsule({"name": "first"}, {"name": "second"}, name="web")
    capsule = world.sandbox(first)
    told = of(world, Kind.CAPSULE, "what", "action", "old_status", "status", "resource_uuid", "sandbox_uuid", "name", "request_id")
    assert [each[:4] for each in told] == [
        (What.CREATED, None, None, "Creating"),
        (What.ACCEPTED, "create", None, "Creating"),
        (What.STARTED, "create", None, "Creating"),
        (What.STATUS, None, "Creating", "Running"),
        (What.FINISHED, "create", None, "Running"),
    ]
    assert {each[4:] for each in told} == {(capsule.uuid, capsule.uuid, "web", ME.request_id)}
    members = of(world, Kind.CONTAINER, "what", "name", "status", "sandbox_uuid")
    assert (What.STATUS, "second", "Running", capsule.uuid) in members
    assert What.ACCEPTED not in {each[0] for each in members}


def test_a_capsule_changes_its_status_with_the_last_of_its_containers(world):
    first, second = world.create_capsule({"name": "first"}, {"name": "second"})
    for container, code in ((first, 0), (second, 3)):
        world.engines["one"].die(container.uuid, code)
        world.settle()
    told = [each for each in of(world, Kind.CAPSULE, "what", "old_status", "status", "reason") if each[0] is What.STATUS]
    assert told[1:] == [(What.STATUS, "Running", "Stopped", "Container second ended with exit code 3.")]
    check(world)


def test_the_end_of_a_capsule_is_the_last_that_is_told_of_it(world):
    first, _ = world.create_capsule({}, {})
    before = len(of(world, Kind.CAPSULE))
    world.verbs.delete_capsule(ME, world.sandbox(first))
    world.settle()
    assert of(world, Kind.CAPSULE, "what", "action", "status", "request_id")[before:] == [
        (What.STATUS, None, "Deleting", ME.request_id),
        (What.ACCEPTED, "delete", "Deleting", ME.request_id),
        (What.STARTED, "delete", "Deleting", ME.request_id),
        (What.FINISHED, "delete", "Deleting", ME.request_id),
        (What.DELETED, None, "Deleting", ME.request_id),
    ]
    with world.store.read() as tx:
        assert tx.find(Event, {}, Page(sort_key="cursor"))[-1].kind is Kind.CAPSULE
    check(world)


def test_a_capsule_that_no_host_has_is_gone_at_once_and_that_is_told(make_world):
    world = make_world(hosts=())
    (only,) = world.create_capsule({}, settle=False)
    world.verbs.delete_capsule(ME, world.sandbox(only))
    assert [each[0] for each in of(world, Kind.CAPSULE, "what")] == [
        What.CREATED,
        What.ACCEPTED,
        What.STATUS,
        What.ACCEPTED,
        What.DELETED,
    ]
    check(world)


def test_an_image_is_told_of_from_its_pull_to_its_end(world):
    web = "registry.example/web:1"
    world.engines["one"].registry[web] = EngineImage(id="sha256:web", architecture="amd64")
    image = world.images.pull(ME, web, "one")
    world.settle()
    world.images.delete(ME, image)
    world.settle()
    told = of(world, Kind.IMAGE, "what", "action", "old_status", "status", "name")
    assert [each[:4] for each in told] == [
        (What.CREATED, None, None, "Pulling"),
        (What.ACCEPTED, "pull", None, "Pulling"),
        (What.STARTED, "pull", None, "Pulling"),
        (What.STATUS, None, "Pulling", "Available"),
        (What.FINISHED, "pull", None, "Available"),
        (What.STATUS, None, "Available", "Deleting"),
        (What.ACCEPTED, "delete", None, "Deleting"),
        (What.STARTED, "delete", None, "Deleting"),
        (What.FINISHED, "delete", None, "Deleting"),
        (What.DELETED, None, None, "Deleting"),
    ]
    assert {each[4] for each in told} == {web}
    check(world)


def test_a_pull_that_fails_says_why(world):
    world.images.pull(ME, "nowhere", "one")
    world.settle()
    status, failed = of(world, Kind.IMAGE, "what", "action", "status", "reason")[-2:]
    assert (status[0], status[2]) == (What.STATUS, "Error")
    assert failed == (What.FAILED, "pull", "Error", status[3])
    assert "nowhere" in failed[3]


def test_a_commit_is_told_of_its_image_and_of_its_container(world):
    container = world.create()
    world.images.commit(ME, container, "mine", None)
    world.settle()
    for kind in (Kind.IMAGE, Kind.CONTAINER):
        told = [what for what, action in of(world, kind, "what", "action") if action == "commit"]
        assert told == [What.ACCEPTED, What.STARTED, What.FINISHED]
    check(world)


def test_what_is_refused_is_not_told(world):
    container = world.create()
    before = told(world)
    with pytest.raises(errors.InvalidStateException):
        world.verbs.accept(ME, container, "unpause", {})
    with pytest.raises(errors.InvalidImage):
        world.create(image="not an image!")
    assert told(world) == before


def test_nothing_is_told_of_news_that_change_nothing(world):
    world.create()
    before = told(world)
    world.heartbeats()
    world.scans()
    assert told(world) == before


def forget(world, **options):
    return Forget(world.store, clock=world.clock, **{"retention": 3600, "most": 1000} | options)


def test_old_events_go_and_the_newest_stays_for_the_next_one_to_be_numbered(world):
    container = world.create()
    world.clock.pass_time(3601)
    forget(world).run()
    with world.store.read() as tx:
        assert [event.cursor for event in tx.find(Event)] == [6]
        with pytest.raises(errors.EventsGone):
            after(tx, "mine", 4, {}, 10)
        assert after(tx, "mine", 5, {}, 10).cursor == 6
    world.do("stop", container)
    with world.store.read() as tx:
        assert [event.cursor for event in after(tx, "mine", 6, {}, 10).events] == [7, 8, 9, 10, 11]


def test_of_too_many_the_newest_are_kept(world):
    world.create()
    forget(world, most=2).run()
    with world.store.read() as tx:
        assert [event.cursor for event in tx.find(Event)] == [5, 6]


def test_young_events_are_left_and_a_round_that_comes_too_soon_does_nothing(world):
    world.create()
    sweeping = forget(world)
    sweeping.run()
    assert len(told(world)) == 6
    world.clock.pass_time(3601)
    forgetful = forget(world)
    forgetful.run()
    assert len(told(world)) == 1
    world.heartbeats()
    world.create()
    few = Forget(world.store, clock=world.clock, retention=1, most=1000)
    few.run()
    world.create()
    world.clock.pass_time(2)
    before = len(told(world))
    few.run()
    assert len(told(world)) == before
    world.clock.pass_time(EVERY / timedelta(seconds=1))
    few.run()
    assert len(told(world)) == 1
