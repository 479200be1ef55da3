"""What a drain does with a container in each status, written down by hand, and who comes back when the host is."""

from datetime import datetime

import pytest

from zun.domain.action import Action, ActionState
from zun.domain.container import Container
from zun.domain.drain import Need, is_overdue, shown, to_start, to_stop
from zun.domain.host import DrainState
from zun.domain.lifecycle import Desired, Status

D, S = Desired, Status
FOREVER = {"Name": "always"}


def container(status, desired=D.RUNNING, **given):
    own = {"uuid": "c", "sandbox_uuid": "s", "project_id": "p", "user_id": "u", "name": "web", "image": "busybox", **given}
    return Container(status=status, desired=desired, **own)


def actions(*verbs, state=ActionState.QUEUED):
    return [Action(uuid=verb, action=verb, sandbox_uuid="s", request_id="r", project_id="p", user_id="u", state=state) for verb in verbs]


#: what is done with one that its user wants to run
WANTED = {
    S.CREATING: Need.NOTHING,
    S.CREATED: Need.NOTHING,
    S.RUNNING: Need.ACT,
    S.STOPPED: Need.NOTHING,
    S.PAUSED: Need.ACT,
    S.ERROR: Need.NOTHING,
    S.RESTARTING: Need.ACT,
    S.REBUILDING: Need.NOTHING,
    S.DEAD: Need.NOTHING,
    S.DELETED: Need.NOTHING,
    S.DELETING: Need.NOTHING,
    S.UNKNOWN: Need.ACT,
}


@pytest.mark.parametrize("status", Status)
def test_what_runs_or_may_is_stopped(status):
    assert to_stop(container(status), [], again=False) is WANTED[status]


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("verb", ["stop", "delete", "create"])
def test_what_ends_by_itself_or_is_being_made_is_waited_for(status, verb):
    assert to_stop(container(status), actions(verb), again=True) is Need.NOTHING
    assert to_stop(container(status), actions("kill", state=ActionState.UNDOING), again=True) is Need.NOTHING


@pytest.mark.parametrize("status", [S.CREATED, S.STOPPED, S.ERROR])
@pytest.mark.parametrize("verb", ["start", "reboot"])
def test_what_is_about_to_be_started_is_stopped_then(status, verb):
    assert to_stop(container(status), actions(verb), again=False) is Need.ACT


@pytest.mark.parametrize(
    ("given", "need"),
    [
        ({"restart_policy": FOREVER}, Need.ACT),
        ({"restart_policy": {"Name": "on-failure", "MaximumRetryCount": "2"}, "exit_code": 1, "restart_count": 1}, Need.ACT),
        ({"restart_policy": {"Name": "on-failure", "MaximumRetryCount": "2"}, "exit_code": 1, "restart_count": 2}, Need.NOTHING),
        ({"restart_policy": FOREVER, "desired": D.STOPPED}, Need.NOTHING),
    ],
)
@pytest.mark.parametrize("status", [S.STOPPED, S.ERROR])
def test_what_a_policy_is_about_to_start_is_stopped(status, given, need):
    assert to_stop(container(status, **given), [], again=True) is need


@pytest.mark.parametrize(("again", "need"), [(False, Need.NOTHING), (True, Need.ACT)])
def test_what_was_asked_to_stop_and_runs_is_asked_again_by_a_round_only(again, need):
    assert to_stop(container(S.RUNNING, D.STOPPED), [], again=again) is need


def test_of_an_unknown_one_only_what_was_to_run_is_stopped():
    assert to_stop(container(S.UNKNOWN, D.STOPPED), [], again=True) is Need.NOTHING
    assert to_stop(container(S.UNKNOWN, D.STOPPED, drained="d"), [], again=True) is Need.ACT


def test_one_of_a_capsule_that_waits_for_its_turn_is_only_wished_otherwise():
    assert to_stop(container(S.CREATED, capsule=True), [], again=False) is Need.WISH
    assert to_stop(container(S.CREATED, D.CREATED, capsule=True), [], again=False) is Need.NOTHING
    assert to_start(container(S.CREATED, D.STOPPED, capsule=True), []) is Need.WISH
    assert to_start(container(S.CREATED, D.STOPPED, capsule=True, started_at=datetime(2026, 1, 1)), []) is Need.ACT


@pytest.mark.parametrize("status", Status)
def test_who_comes_back(status):
    steady = {S.CREATED, S.STOPPED, S.RUNNING, S.ERROR, S.UNKNOWN}
    assert to_start(container(status, D.STOPPED), []) is (Need.ACT if status in steady else Need.FORGET)
    assert to_start(container(status, D.STOPPED), actions("stop")) is Need.NOTHING


@pytest.mark.parametrize(("verb", "state", "late"), [("stop", "claimed", True), ("stop", "queued", False), ("create", "claimed", False)])
def test_whose_host_waits_for_its_end_is_overdue(verb, state, late):
    waiting = actions(verb, state=ActionState(state))
    assert is_overdue(container(S.RUNNING), waiting) is late
    assert is_overdue(container(S.STOPPED), waiting) is False


def test_how_far_a_drain_is():
    assert [shown(None, 0), shown(DrainState.DRAINING, 2), shown(DrainState.DRAINING, 0), shown(DrainState.RESTARTING, 0)] == [
        None,
        "draining",
        "drained",
        "restarting",
    ]
