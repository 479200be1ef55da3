"""What a capsule takes, whose turn it is, and what is shown of the whole."""

from datetime import datetime

import pytest

from zun.domain.capsule import PHASES, due, needs, phase, ready
from zun.domain.container import Container
from zun.domain.lifecycle import Desired, Status
from zun.domain.resources import Resources

S = Status
NOON = datetime(2026, 1, 1, 12)
ALWAYS = {"Name": "always", "MaximumRetryCount": "0"}


def one(status=S.RUNNING, **known):
    known = {"desired": Desired.RUNNING} | known
    if status in (S.RUNNING, S.STOPPED, S.RESTARTING):
        known.setdefault("started_at", NOON)
    if status is S.STOPPED:
        known.setdefault("finished_at", NOON)
    return Container(uuid="c", sandbox_uuid="s", project_id="p", user_id="u", image="i", status=status, **{"name": "web"} | known)


DONE = one(S.STOPPED, init=True, exit_code=0, name="done")
AT_WORK = one(S.RUNNING, init=True, name="init")
WAITING = one(S.CREATED)


@pytest.mark.parametrize(
    ("containers", "cpu", "memory"),
    [
        ([one(cpu=1.0, memory=100), one(cpu=0.5, memory=50)], 1.5, 150),
        ([one(init=True, cpu=2.0, memory=10), one(init=True, cpu=1.0, memory=400), one(cpu=0.5, memory=50)], 2.0, 400),
        ([one(init=True, cpu=0.1, memory=10), one(cpu=0.5, memory=50)], 0.5, 50),
    ],
)
def test_it_takes_the_sum_of_the_regular_ones_but_no_less_than_any_initialising_one(containers, cpu, memory):
    assert needs(containers) == Resources(cpu=cpu, memory=memory)


def test_turns():
    first, second = one(S.CREATED, init=True, position=0, name="1"), one(S.CREATED, init=True, position=1, name="2")
    regular = [one(S.CREATED, position=2, name="3"), one(S.CREATED, position=3, name="4")]
    assert due([*regular, second, first]) == [first]
    assert due([AT_WORK, second, *regular]) == []
    assert due([DONE, second, *regular]) == [second]
    assert due([DONE, *regular]) == regular
    assert due([DONE, one(S.RUNNING), regular[1]]) == [regular[1]]
    assert due([one(S.STOPPED, init=True, exit_code=1), *regular]) == []
    assert due([one(S.CREATED, desired=Desired.CREATED)]) == [], "nobody wants it to run"
    assert due([one(S.ERROR)]) == []


@pytest.mark.parametrize(
    ("containers", "status", "reason"),
    [
        ([one(S.CREATING), one(S.CREATING)], S.CREATING, None),
        ([AT_WORK, WAITING], S.CREATING, None),
        ([DONE, WAITING, one()], S.CREATING, None),
        ([one(S.RESTARTING, init=True), WAITING], S.CREATING, None),
        ([DONE, one(), one()], S.RUNNING, None),
        ([one(), one(S.CREATING)], S.RUNNING, None),
        ([one(), one(S.STOPPED, exit_code=1)], S.RUNNING, None),
        ([one(), one(S.DELETING)], S.RUNNING, None),
        ([one(S.DELETING), one(S.DELETING)], S.DELETING, None),
        ([one(S.ERROR, status_reason="no"), one(S.ERROR, status_reason="no")], S.ERROR, "no"),
        ([one(), one(S.ERROR, name="db", status_reason="no")], S.ERROR, "Container db: no"),
        ([one(S.STOPPED, init=True, name="init", exit_code=2), WAITING], S.ERROR, "Init container init ended with exit code 2."),
        (
            [one(S.STOPPED, init=True, exit_code=2, restart_policy={"Name": "on-failure", "MaximumRetryCount": "10"}), WAITING],
            S.CREATING,
            None,
        ),
        ([one(S.UNKNOWN, status_reason="silent")], S.UNKNOWN, "silent"),
        ([one(S.STOPPED, exit_code=0), one(S.STOPPED, exit_code=0)], S.STOPPED, None),
        ([one(S.STOPPED, exit_code=0), one(S.STOPPED, exit_code=1)], S.STOPPED, "Container web ended with exit code 1."),
        ([one(S.STOPPED, exit_code=137, desired=Desired.STOPPED)], S.STOPPED, None),
        ([one(S.PAUSED), one(S.STOPPED, exit_code=0)], S.PAUSED, None),
        ([one(S.RESTARTING, restart_policy=ALWAYS)], S.RESTARTING, None),
        ([one(S.REBUILDING)], S.REBUILDING, None),
        ([one(S.DEAD)], S.DEAD, None),
        ([one(S.CREATED, desired=Desired.CREATED)], S.CREATED, None),
    ],
    ids=lambda value: "+".join(each.status.value for each in value) if isinstance(value, list) else None,
)
def test_what_is_shown_of_the_whole(containers, status, reason):
    assert phase(containers) == (status, reason)


def test_every_status_of_one_leads_to_some_status_of_the_whole():
    for status in Status:
        assert phase([one(status)])[0] in {row.to for row in PHASES}


def test_an_initialising_container_that_has_finished_is_not_missed():
    lost = one(S.ERROR, init=True, exit_code=0, finished_at=NOON, started_at=NOON)
    assert phase([lost, one()]) == (S.RUNNING, None)


KILLED = "Killed: Liveness probe failed: HTTP status 500"


@pytest.mark.parametrize(
    ("code", "reason"),
    [(0, KILLED), (137, f"Container web ended with exit code 137. {KILLED}")],
)
def test_what_a_probe_has_ended_says_so(code, reason):
    assert phase([one(S.STOPPED, exit_code=code, status_reason=KILLED)]) == (S.STOPPED, reason)


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([one()], True),
        ([one(ready=True), one()], True),
        ([one(ready=True), one(ready=False)], False),
        ([one(), one(S.STOPPED, exit_code=0)], False),
        ([DONE, one(ready=True)], True),
        ([AT_WORK, WAITING], False),
        ([DONE], False),
    ],
)
def test_it_is_ready_when_all_regular_ones_run_and_none_is_not_ready(containers, expected):
    assert ready(containers) is expected
