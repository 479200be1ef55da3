"""Probes: asked on the host, without a control plane, for as long as a container runs; and what follows from the answers."""

import pytest

from tests.hands import Killed
from tests.invariants import check
from tests.world import ME, Clock
from zun import errors
from zun.domain.container import status_detail
from zun.domain.event import Event
from zun.domain.lifecycle import Health, Status
from zun.drivers.runtime.fake import FakeRuntime
from zun.drivers.runtime.fake_engine import Program
from zun.interfaces.store import Page

ALWAYS = {"Name": "always"}
NEVER = {"Name": "no"}
ON_FAILURE = {"Name": "on-failure"}
#: every five seconds, two failures count
LIVE = {"period": 5, "failure_threshold": 2, "exec": ["alive"]}
READY = {"period": 5, "failure_threshold": 2, "http": {"port": 8080}}
START = {"period": 5, "failure_threshold": 3, "exec": ["up"]}


def pod(world, *, policy=ALWAYS, command=("serve",), **probes):
    engine = world.engines["one"]
    engine.programs.setdefault(("serve",), Program(listens=8080))
    return world.create_capsule({"command": list(command), "probes": probes, "restart_policy": policy}, settle=False, name="shop")[0]


def begun(world, **options):
    made = pod(world, **options)
    now(world)
    return made


def now(world):
    """Everything that needs no time is done."""
    while world.turn():
        pass


def go_on(world, seconds):
    """Time passes, and each thing is done when it is due."""
    until = world.clock.passed + seconds
    while True:
        now(world)
        waits = [wait for life in world.lives.values() for wait in life.lanes.waits() if wait > 0]
        soonest = min(waits, default=seconds)
        if world.clock.passed + soonest > until:
            world.clock.pass_time(until - world.clock.passed)
            return now(world)
        world.clock.pass_time(soonest)


def say(world, command, exit_code, output=b""):
    """What a command in a container does from now on."""
    world.engines["one"].programs[(command,)] = Program(ends=exit_code, writes=((1, output),) if output else ())


def asked(world, call="execute"):
    return [uuid for name, uuid in world.engines["one"].calls if name == call]


def seen(world, container):
    return world.container(container.uuid)


def events(world, container):
    with world.store.read() as tx:
        return tx.find(Event, {"resource_uuid": container.uuid}, Page(sort_key="cursor"))


def test_a_container_that_answers_well_is_shown_as_healthy_and_left_alone(world):
    container = begun(world, liveness=LIVE, readiness=READY)
    go_on(world, 100)
    found = seen(world, container)
    assert (found.status, found.health, found.ready, found.restart_count) == (Status.RUNNING, Health.HEALTHY, True, 0)
    assert status_detail(found, world.clock.now).endswith("(healthy)")
    assert len(asked(world)) == 21, "once every five seconds"
    check(world)


@pytest.mark.parametrize("policy", [ALWAYS, ON_FAILURE])
def test_a_container_that_fails_its_liveness_probe_is_ended_and_started_again(world, policy):
    container = begun(world, liveness=LIVE, policy=policy)
    say(world, "alive", 1, b"cannot reach\nthe database\n")
    go_on(world, 5)
    assert seen(world, container).health is Health.HEALTHY, "once is not enough"
    go_on(world, 6)
    found = seen(world, container)
    assert (found.status, found.restart_count, found.incarnation) == (Status.RUNNING, 1, 2)
    why = "Liveness probe failed: the command ended with 1: cannot reach the database"
    assert found.status_reason == f"Restarted: {why}"
    told = [(event.status, event.health, event.reason) for event in events(world, container) if event.reason]
    assert (Status.RUNNING, Health.UNHEALTHY, f"Killing: {why}") in told
    assert (Status.RESTARTING, None, f"Killed: {why}") in told
    assert told[-1] == (Status.RUNNING, Health.STARTING, f"Restarted: {why}")
    say(world, "alive", 0)
    go_on(world, 60)
    assert (seen(world, container).health, seen(world, container).restart_count) == (Health.HEALTHY, 1)
    check(world)


def test_what_is_never_restarted_stays_ended_and_says_why(world):
    container = begun(world, liveness=LIVE, policy=NEVER)
    say(world, "alive", 1)
    go_on(world, 60)
    found = seen(world, container)
    assert (found.status, found.restart_count, found.health) == (Status.STOPPED, 0, None)
    assert found.status_reason == "Killed: Liveness probe failed: the command ended with 1"
    asked_so_far = len(asked(world))
    go_on(world, 60)
    assert len(asked(world)) == asked_so_far, "what does not run is not asked"
    check(world)


@pytest.mark.parametrize(("grace", "given"), [(7, 7), (None, 3)])
def test_it_is_given_the_grace_of_the_probe_or_its_own(world, grace, given):
    graces = []
    runtime = world.lives["one"].runtime
    runtime.stop = lambda uuid, timeout, revision: (graces.append(timeout), FakeRuntime.stop(runtime, uuid, timeout, revision))[1]
    say(world, "alive", 1)
    made = world.create_capsule({"command": ["serve"], "probes": {"liveness": {**LIVE, "grace": grace}}, "grace": 3}, settle=False)
    go_on(world, 6)
    assert (graces, seen(world, made[0]).status) == ([given], Status.STOPPED)


def test_a_failure_between_good_answers_counts_for_nothing(world):
    container = begun(world, liveness=LIVE)
    for _ in range(5):
        say(world, "alive", 1)
        go_on(world, 5)
        say(world, "alive", 0)
        go_on(world, 5)
    assert seen(world, container).restart_count == 0


def test_readiness_is_shown_and_ends_nothing(world):
    container = begun(world, readiness=READY)
    assert seen(world, container).ready is True
    world.engines["one"].change(container.uuid, answers=b"HTTP/1.1 503 Busy\r\n\r\n")
    go_on(world, 30)
    found = seen(world, container)
    assert (found.status, found.ready, found.restart_count, found.health) == (Status.RUNNING, False, 0, None)
    assert found.status_reason == "Unhealthy: Readiness probe failed: HTTP status 503"
    world.engines["one"].change(container.uuid, answers=b"HTTP/1.1 200 OK\r\n\r\n")
    go_on(world, 5)
    assert (seen(world, container).ready, seen(world, container).status_reason) == (True, None)
    assert [event.ready for event in events(world, container)][-3:] == [True, False, True]


def test_a_container_is_not_ready_before_it_has_said_so_nor_after_its_end(world):
    container = begun(world, readiness={**READY, "initial_delay": 20})
    assert seen(world, container).ready is False
    go_on(world, 19)
    assert not asked(world, "dial")
    go_on(world, 1)
    assert seen(world, container).ready is True
    world.do("stop", container, settle=False)
    now(world)
    assert (seen(world, container).status, seen(world, container).ready) == (Status.STOPPED, False)


def test_until_it_has_started_nothing_else_is_asked(world):
    say(world, "up", 1)
    say(world, "alive", 1)
    container = begun(world, startup={**START, "failure_threshold": 30}, liveness=LIVE, readiness=READY)
    go_on(world, 100)
    found = seen(world, container)
    assert (found.restart_count, found.health, found.ready, found.started) == (0, Health.STARTING, False, False)
    assert not asked(world, "dial")
    say(world, "up", 0)
    say(world, "alive", 0)
    go_on(world, 5)
    found = seen(world, container)
    assert (found.health, found.ready, found.started) == (Health.HEALTHY, True, True)
    say(world, "up", 1)
    go_on(world, 300)
    assert seen(world, container).restart_count == 0, "it is asked for its start no more"
    check(world)


def test_a_container_that_does_not_start_is_ended(world):
    say(world, "up", 1)
    container = begun(world, startup=START, liveness=LIVE)
    go_on(world, 11)
    found = seen(world, container)
    assert found.restart_count == 1
    assert found.status_reason == "Restarted: Startup probe failed: the command ended with 1"


def test_a_connection_that_nobody_takes_is_a_failure(world):
    container = begun(world, liveness={**LIVE, "exec": None, "tcp": {"port": 9}})
    go_on(world, 6)
    assert seen(world, container).status_reason == "Restarted: Liveness probe failed: Connection refused"


def test_a_paused_container_is_not_asked(world):
    container = begun(world, liveness=LIVE)
    world.do("pause", container, settle=False)
    now(world)
    say(world, "alive", 1)
    before = len(asked(world))
    go_on(world, 60)
    assert len(asked(world)) == before
    say(world, "alive", 0)
    world.do("unpause", container, settle=False)
    go_on(world, 10)
    assert len(asked(world)) > before
    assert seen(world, container).restart_count == 0


def test_a_stop_by_its_user_ends_the_asking_and_a_start_begins_it_again(world):
    container = begun(world, liveness=LIVE)
    world.do("stop", container, settle=False)
    now(world)
    say(world, "alive", 1)
    go_on(world, 60)
    assert seen(world, container).status is Status.STOPPED
    world.do("start", container, settle=False)
    go_on(world, 6)
    found = seen(world, container)
    assert (found.status, found.restart_count) == (Status.RUNNING, 1)


def test_a_start_by_its_user_forgets_why_it_was_ended(world):
    container = begun(world, liveness=LIVE, policy=NEVER)
    say(world, "alive", 1)
    go_on(world, 10)
    say(world, "alive", 0)
    world.do("start", container, settle=False)
    go_on(world, 10)
    found = seen(world, container)
    assert (found.status, found.status_reason, found.health) == (Status.RUNNING, None, Health.HEALTHY)


def test_a_deleted_capsule_is_asked_nothing(world):
    container = begun(world, liveness=LIVE)
    world.verbs.delete_capsule(ME, world.sandbox(container))
    now(world)
    before = len(asked(world))
    go_on(world, 60)
    assert len(asked(world)) == before
    assert not world.lives["one"].lanes.waits()


def test_what_cannot_be_asked_has_not_failed(world):
    container = begun(world, liveness=LIVE)
    world.engines["one"].fail("execute", errors.EngineUnavailable(reason="ordered"), times=5)
    go_on(world, 25)
    assert (seen(world, container).status, seen(world, container).restart_count) == (Status.RUNNING, 0)
    say(world, "alive", 1)
    go_on(world, 11)
    assert seen(world, container).restart_count == 1


def test_a_container_that_could_not_be_ended_is_ended_later(world):
    container = begun(world, liveness=LIVE)
    say(world, "alive", 1)
    world.engines["one"].fail("stop", errors.EngineError(reason="device busy"))
    go_on(world, 6)
    assert seen(world, container).restart_count == 0
    go_on(world, 30)
    assert seen(world, container).restart_count >= 1
    assert not world.lives["one"].lanes.faults


def test_probing_needs_no_conductor(world):
    container = begun(world, liveness=LIVE)
    say(world, "alive", 1)
    for _ in range(20):
        world.lives["one"].wire.disturb("observe", "unheard")
    go_on(world, 11)
    things = [thing for thing in world.engines["one"].things.values() if thing.container_uuid == container.uuid]
    assert [thing.state.value for thing in things] == ["running"]
    assert ("stop", container.uuid) in world.engines["one"].calls
    say(world, "alive", 0)
    world.lives["one"].wire.calm()
    go_on(world, 30)
    assert seen(world, container).restart_count >= 1


# -- the agent ends and begins -----------------------------------------------------------------------


def test_the_next_agent_asks_on_and_touches_nothing_that_is_well(world):
    container = begun(world, startup=START, liveness=LIVE, readiness=READY)
    say(world, "up", 1)
    before = seen(world, container)
    world.restart()
    go_on(world, 60)
    after = seen(world, container)
    assert (after.status, after.incarnation, after.started_at, after.ready, after.health) == (
        Status.RUNNING,
        1,
        before.started_at,
        True,
        Health.HEALTHY,
    )
    say(world, "alive", 1)
    go_on(world, 11)
    assert seen(world, container).restart_count == 1
    check(world)


def test_a_container_stays_ready_over_the_agents_death(world):
    container = begun(world, readiness=READY)
    world.restart()
    now(world)
    assert seen(world, container).ready is True
    assert [event.ready for event in events(world, container)][-1] is True


def test_what_one_agent_has_decided_the_next_one_does(world):
    container = begun(world, liveness=LIVE, policy=ON_FAILURE)
    say(world, "alive", 1)
    life = world.lives["one"]

    def dies(*arguments):
        raise Killed

    life.runtime.stop = dies
    go_on(world, 11)
    assert world.lives["one"] is not life
    assert seen(world, container).restart_count == 1, "though it ended with 0"
    assert seen(world, container).status_reason == "Restarted: Liveness probe failed: the command ended with 1"


def test_an_agent_that_begins_does_not_ask_all_at_once(make_world):
    world = make_world(clock=Clock())
    made = [begun(world, liveness={**LIVE, "period": 100}) for _ in range(5)]
    world.restart()
    now(world)
    waits = world.lives["one"].lanes.waits()
    assert len(waits) == len(made)
    assert len(set(waits)) == len(made)
    assert all(0 < wait <= 100 for wait in waits)


def test_probes_that_cannot_be_read_keep_no_agent_from_beginning(world):
    container = world.create_capsule({"probes": {"liveness": {"period": "often"}}}, settle=False, name="odd")[0]
    now(world)
    world.restart()
    go_on(world, 30)
    assert (seen(world, container).status, seen(world, container).health) == (Status.RUNNING, None)


def test_an_image_s_own_check_says_nothing_where_probes_do(world):
    container = begun(world, liveness=LIVE)
    looks = world.engines["one"].calls.count(("inspect", container.uuid))
    world.engines["one"].feel(container.uuid, Health.UNHEALTHY)
    now(world)
    assert seen(world, container).health is Health.HEALTHY
    now_looks = world.engines["one"].calls.count(("inspect", container.uuid))
    assert now_looks == looks + 1
    world.lives["one"].beat("agent-scan")
    now(world)
    assert world.engines["one"].calls.count(("inspect", container.uuid)) == now_looks
