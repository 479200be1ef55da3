"""The table of verbs against the contract, cell by cell; the table of moves; the life of a container in events."""

from datetime import datetime

import pytest
from msgspec.structs import replace

from zun.domain import lifecycle
from zun.domain.lifecycle import (
    Accepted,
    Claimed,
    Desired,
    Done,
    EngineState,
    Failed,
    HostLost,
    Life,
    Observation,
    Observed,
    Status,
    Task,
    advance,
    follow_up,
)

#: states.md, section 2: a letter for each status in which the verb is allowed. The order of the statuses is the contract's.
STATUSES = "Creating Created Running Stopped Paused Error Restarting Rebuilding Dead Deleted Deleting Unknown".split()
ALLOWED = {
    "delete": ". C . S . E . . D X . .",
    "delete_stop": ". C R S . E . . D X . .",
    "delete_force": "c C R S . E r b D X x U",
    "start": ". C . S . E . . . . . .",
    "stop": ". . R . . . . . . . . .",
    "reboot": ". C R S . E . . . . . .",
    "rebuild": ". C R S . E . . . . . .",
    "pause": ". . R . . . . . . . . .",
    "unpause": ". . . . P . . . . . . .",
    "kill": ". . R . . . . . . . . .",
    "execute": ". . R . . . . . . . . .",
    "execute_resize": ". . R . . . . . . . . .",
    "attach": ". . R . . . . . . . . .",
    "resize": ". . R . . . . . . . . .",
    "top": ". . R . . . . . . . . .",
    "stats": ". . R . . . . . . . . .",
    "update": ". C R S P . . . . . . .",
    "resize_container": ". C R S P . . . . . . .",
    "add_security_group": ". C R S P . . . . . . .",
    "remove_security_group": ". C R S P . . . . . . .",
    "get_archive": ". C R S P . . . . . . .",
    "put_archive": ". C R S P . . . . . . .",
    "logs": ". C R S P E . . . . . U",
    "commit": ". . R S P . . . . . . .",
    "rename": "c C R S P E r b D X x U",
    "network_attach": "c C R S P E r b D X x U",
    "network_detach": "c C R S P E r b D X x U",
    "network_list": "c C R S P E r b D X x U",
}
CELLS = [
    (verb, Status(status), letter != ".")
    for verb, letters in ALLOWED.items()
    for status, letter in zip(STATUSES, letters.split(), strict=True)
]

START = datetime(2026, 1, 1, 12, 0, 0)
LATER = datetime(2026, 1, 1, 12, 5, 0)


def life(status: Status, **known) -> Life:
    return Life(status=status, **known)


def seen(state: EngineState, incarnation: int = 1, **known) -> Observation:
    return Observation(container_uuid="c", state=state, incarnation=incarnation, **known)


# --- verbs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "status", "allowed"), CELLS, ids=lambda value: str(value))
def test_a_verb_is_allowed_in_just_the_statuses_of_the_contract(verb, status, allowed):
    if allowed:
        advance(life(status), Accepted(verb))
    else:
        with pytest.raises(lifecycle.Unexpected):
            advance(life(status), Accepted(verb))


def test_every_verb_is_a_row_of_the_contract():
    # A capsule goes as it is, with all that is in it, and a host is drained as it is: there the contract has no row.
    assert set(lifecycle.VERBS) - {"create", "delete_capsule", "stop_drain", "start_drain"} == set(ALLOWED)
    assert {status.value for status in Status} == set(STATUSES)


@pytest.mark.parametrize(
    ("verb", "before", "at_once", "task"),
    [
        ("reboot", Status.RUNNING, Status.RESTARTING, Task.REBOOTING),
        ("rebuild", Status.RUNNING, Status.REBUILDING, Task.REBUILDING),
        ("delete", Status.STOPPED, Status.DELETING, Task.DELETING),
        ("stop", Status.RUNNING, Status.RUNNING, None),
    ],
)
def test_what_an_accepted_verb_shows_at_once(verb, before, at_once, task):
    after = advance(life(before), Accepted(verb))
    assert (after.status, after.task_state) == (at_once, task)


def test_a_host_that_takes_the_work_shows_its_task():
    accepted = advance(life(Status.RUNNING), Accepted("stop"))
    assert advance(accepted, Claimed("stop")).task_state is Task.STOPPING


def test_a_create_shows_no_task_until_a_host_works_on_it():
    accepted = advance(life(Status.CREATING), Accepted("create", Desired.RUNNING))
    assert (accepted.task_state, accepted.desired) == (None, Desired.RUNNING)


# --- how work ends -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "before", "engine", "after"),
    [
        ("create", Status.CREATING, EngineState.CREATED, Status.CREATED),
        ("create", Status.CREATING, EngineState.RUNNING, Status.RUNNING),
        ("create", Status.CREATING, EngineState.EXITED, Status.STOPPED),
        ("start", Status.STOPPED, EngineState.RUNNING, Status.RUNNING),
        ("start", Status.ERROR, EngineState.RUNNING, Status.RUNNING),
        ("start", Status.ERROR, EngineState.EXITED, Status.STOPPED),
        ("stop", Status.RUNNING, EngineState.EXITED, Status.STOPPED),
        ("reboot", Status.RESTARTING, EngineState.RUNNING, Status.RUNNING),
        ("pause", Status.RUNNING, EngineState.PAUSED, Status.PAUSED),
        ("unpause", Status.PAUSED, EngineState.RUNNING, Status.RUNNING),
        ("kill", Status.RUNNING, EngineState.EXITED, Status.STOPPED),
        ("kill", Status.RUNNING, EngineState.RUNNING, Status.RUNNING),
        ("rebuild", Status.REBUILDING, EngineState.CREATED, Status.CREATED),
        ("rebuild", Status.REBUILDING, EngineState.RUNNING, Status.RUNNING),
    ],
)
def test_work_that_ended_well_shows_what_the_engine_shows(verb, before, engine, after):
    working = life(before, task_state=lifecycle.VERBS[verb].task, incarnation=1)
    ended = advance(working, Done(verb, seen(engine, incarnation=1)))
    assert (ended.status, ended.task_state) == (after, None)


@pytest.mark.parametrize(
    ("verb", "before", "engine", "after", "reason"),
    [
        ("create", Status.CREATING, EngineState.MISSING, Status.ERROR, "no such image"),
        ("start", Status.STOPPED, EngineState.CREATED, Status.ERROR, "no such image"),
        ("rebuild", Status.REBUILDING, EngineState.RUNNING, Status.RUNNING, "no such image"),
        ("rebuild", Status.REBUILDING, EngineState.MISSING, Status.ERROR, "no such image"),
        ("stop", Status.RUNNING, EngineState.RUNNING, Status.RUNNING, None),
        ("stop", Status.RUNNING, EngineState.MISSING, Status.ERROR, "No such container: c in the container engine"),
        ("pause", Status.RUNNING, EngineState.RUNNING, Status.RUNNING, None),
        ("reboot", Status.RESTARTING, EngineState.EXITED, Status.STOPPED, None),
        ("delete", Status.DELETING, EngineState.RUNNING, Status.ERROR, "no such image"),
    ],
)
def test_work_that_failed_shows_an_error_or_what_the_engine_shows(verb, before, engine, after, reason):
    working = life(before, task_state=lifecycle.VERBS[verb].task, incarnation=1)
    ended = advance(working, Failed(verb, "no such image", seen(engine, incarnation=1)))
    assert (ended.status, ended.status_reason, ended.task_state) == (after, reason, None)


def test_a_create_that_a_deletion_overtook_leaves_the_deletion_alone():
    deleting = life(Status.DELETING, desired=Desired.DELETED)
    assert advance(deleting, Failed("create", "given up")).status is Status.DELETING
    assert advance(deleting, Done("create", seen(EngineState.RUNNING))).status is Status.DELETING


@pytest.mark.parametrize("engine", [EngineState.RUNNING, EngineState.EXITED, EngineState.MISSING])
@pytest.mark.parametrize("event", [Done, lambda verb, observed: Failed(verb, "refused", observed)], ids=["done", "failed"])
def test_a_verb_that_ends_while_a_rebuild_waits_leaves_the_rebuild_alone(event, engine):
    rebuilding = life(Status.REBUILDING, task_state=Task.KILLING, incarnation=1)
    ended = advance(rebuilding, event("kill", seen(engine, incarnation=2)))
    assert (ended.status, ended.task_state, ended.status_reason) == (Status.REBUILDING, None, None)
    assert ended.incarnation == (1 if engine is EngineState.MISSING else 2)


def test_a_reboot_of_which_nothing_is_known_does_not_stay_restarting():
    assert advance(life(Status.RESTARTING), Failed("reboot", "silence")).status is Status.UNKNOWN


# --- news ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "engine", "after"),
    [
        (Status.RUNNING, EngineState.EXITED, Status.STOPPED),
        (Status.RUNNING, EngineState.PAUSED, Status.PAUSED),
        (Status.RUNNING, EngineState.RESTARTING, Status.RESTARTING),
        (Status.RESTARTING, EngineState.RUNNING, Status.RUNNING),
        (Status.RUNNING, EngineState.MISSING, Status.ERROR),
        (Status.STOPPED, EngineState.RUNNING, Status.RUNNING),
        (Status.RUNNING, EngineState.DEAD, Status.DEAD),
        (Status.UNKNOWN, EngineState.CREATED, Status.CREATED),
        (Status.UNKNOWN, EngineState.RUNNING, Status.RUNNING),
        (Status.CREATED, EngineState.CREATED, Status.CREATED),
        (Status.ERROR, EngineState.CREATED, Status.ERROR),
        (Status.CREATING, EngineState.RUNNING, Status.CREATING),
        (Status.DELETING, EngineState.EXITED, Status.DELETING),
        (Status.REBUILDING, EngineState.MISSING, Status.REBUILDING),
    ],
)
def test_news_from_the_engine_is_shown_unless_work_is_under_way(before, engine, after):
    assert advance(life(before, incarnation=1), Observed(seen(engine))).status is after


def test_news_of_an_earlier_life_is_dropped():
    second_life = life(Status.RUNNING, incarnation=2, started_at=LATER)
    assert advance(second_life, Observed(seen(EngineState.EXITED, incarnation=1, finished_at=START))) == second_life


def test_an_error_ends_only_with_a_new_life():
    error = life(Status.ERROR, status_reason="it would not stop", incarnation=1)
    assert advance(error, Observed(seen(EngineState.RUNNING, incarnation=1))).status is Status.ERROR
    assert advance(error, Observed(seen(EngineState.RUNNING, incarnation=2))).status is Status.RUNNING


def test_news_during_a_task_waits_for_its_end():
    stopping = life(Status.RUNNING, task_state=Task.STOPPING)
    assert advance(stopping, Observed(seen(EngineState.EXITED))) == stopping


def test_the_facts_of_a_death_are_kept():
    news = seen(EngineState.EXITED, exit_code=3, started_at=START, finished_at=LATER, engine_id="abc")
    after = advance(life(Status.RUNNING), Observed(news))
    assert (after.exit_code, after.finished_at, after.engine_id) == (3, LATER, "abc")


def test_a_silent_host_makes_its_containers_unknown_and_its_return_settles_them():
    running = life(Status.RUNNING, incarnation=1)
    lost = advance(running, HostLost("compute-1"))
    assert lost.status is Status.UNKNOWN
    assert "compute-1" in lost.status_reason
    found = advance(lost, Observed(seen(EngineState.RUNNING)))
    assert (found.status, found.status_reason) == (Status.RUNNING, None)


@pytest.mark.parametrize("status", [Status.CREATING, Status.ERROR, Status.DELETING])
def test_a_silent_host_changes_nothing_where_nothing_is_claimed_to_run(status):
    assert advance(life(status), HostLost("compute-1")) == life(status)


# --- what follows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "auto_remove", "auto_heal", "missing", "verb"),
    [
        (Status.STOPPED, True, False, False, "delete"),
        (Status.ERROR, True, False, True, "delete"),
        (Status.RUNNING, True, False, False, None),
        (Status.CREATED, True, False, False, None),
        (Status.ERROR, False, True, True, "rebuild"),
        (Status.ERROR, False, True, False, None),
        (Status.STOPPED, False, False, False, None),
        (Status.DELETING, True, True, True, None),
    ],
)
def test_what_the_service_does_by_itself(status, auto_remove, auto_heal, missing, verb):
    assert follow_up(life(status), auto_remove=auto_remove, auto_heal=auto_heal, missing=missing) == verb


def test_what_the_service_would_do_waits_for_the_work_under_way():
    stopping = replace(life(Status.STOPPED), task_state=Task.STARTING)
    assert follow_up(stopping, auto_remove=True, auto_heal=False, missing=False) is None
