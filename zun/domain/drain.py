"""Taking a host out of service: what that means for each of its containers. Decided here, done by ``conductor/drain.py`` (ADR 0018)."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Literal

from zun.domain import restart
from zun.domain.action import Action, ActionState
from zun.domain.container import Container
from zun.domain.host import DrainState
from zun.domain.lifecycle import UNDER_WAY, VERBS, Desired, Status

S = Status

#: rows of the table of verbs
STOP, START = "stop_drain", "start_drain"

#: Statuses in which a container runs, or may run for all that is known.
LIVING = frozenset({S.CREATING, S.RUNNING, S.PAUSED, S.RESTARTING, S.REBUILDING, S.DELETING, S.UNKNOWN})

#: Verbs after which a container runs that does not now.
STARTING = frozenset({"start", "reboot"})


#: Work in which a host waits for a container to end, as long as was said.
WAITING = frozenset({"stop", "reboot", "delete"})


class Need(enum.Enum):
    """What is to be done with a container now."""

    NOTHING = enum.auto()
    #: an action for its host
    ACT = enum.auto()
    #: only what is wanted of it changes: its turn has not come
    WISH = enum.auto()
    #: it is nobody's business any more: the mark goes
    FORGET = enum.auto()


def is_wanted(container: Container) -> bool:
    """Whether its user wants it to be alive: only such a one is started again when the host is back."""
    return container.desired in (Desired.RUNNING, Desired.PAUSED)


def to_stop(container: Container, under_way: Sequence[Action], *, again: bool) -> Need:
    """What a drain does about a container of the host; ``under_way`` are the open actions on it. With ``again`` one is stopped, too, that
    was asked to stop before, and runs all the same."""
    verbs = {action.action for action in under_way}
    if container.status in UNDER_WAY | {S.DEAD} or verbs & {"create", "delete", "stop"}:
        # It ends by itself, and is looked at again when it has.
        return Need.NOTHING
    if any(action.state is ActionState.UNDOING for action in under_way):
        return Need.NOTHING
    if container.desired is Desired.STOPPED and not again:
        return Need.NOTHING
    if container.status in (S.RUNNING, S.PAUSED, S.RESTARTING):
        return Need.ACT
    if container.status is S.UNKNOWN:
        return Need.ACT if is_wanted(container) or container.drained else Need.NOTHING
    if container.desired is not Desired.RUNNING:
        return Need.NOTHING
    if verbs & STARTING or _restarts(container):
        return Need.ACT
    return Need.WISH if awaits_its_turn(container) else Need.NOTHING


def is_overdue(container: Container, under_way: Sequence[Action]) -> bool:
    """Whether a host has been waiting for the container to end, now that nobody is given time any more."""
    waits = any(action.action in WAITING and action.state is ActionState.CLAIMED for action in under_way)
    return waits and container.status in LIVING


def to_start(container: Container, under_way: Sequence[Action]) -> Need:
    """What is done about a container that a drain has stopped, now that its host is back."""
    if under_way:
        return Need.NOTHING
    if container.status not in VERBS[START].allowed:
        return Need.FORGET
    return Need.WISH if awaits_its_turn(container) else Need.ACT


def shown(state: DrainState | None, left: int) -> Literal["draining", "drained", "restarting"] | None:
    """How far a host's drain is, of whose containers ``left`` are still to be dealt with."""
    if state is None:
        return None
    return "restarting" if state is DrainState.RESTARTING else "draining" if left else "drained"


def awaits_its_turn(container: Container) -> bool:
    """Whether it is of a capsule and was made, and those before it have not ended: it has never run."""
    return container.capsule and container.status is S.CREATED and container.started_at is None


def _restarts(container: Container) -> bool:
    """Whether its restart policy is about to start it."""
    ended = container.status in (S.STOPPED, S.ERROR)
    return ended and restart.wanted(container.restart_policy, container.desired, container.exit_code, container.restart_count)
