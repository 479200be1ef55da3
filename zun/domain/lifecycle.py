"""Everything that decides a container's status lives in this file: two tables and the function that reads them.

``VERBS`` says which verb is allowed when, what it shows while it is under way and where it leads. ``MOVES`` says which news from a host
leads where. Routes, policy rules, 409 answers and the state diagram of the documentation are read from these tables; the values follow
the state contract (sections 2 to 5).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec


class Status(enum.StrEnum):
    """What a client sees of a container's life."""

    CREATING = "Creating"
    CREATED = "Created"
    RUNNING = "Running"
    STOPPED = "Stopped"
    PAUSED = "Paused"
    ERROR = "Error"
    RESTARTING = "Restarting"
    REBUILDING = "Rebuilding"
    DEAD = "Dead"
    DELETED = "Deleted"
    DELETING = "Deleting"
    UNKNOWN = "Unknown"


class Task(enum.StrEnum):
    """What a host is doing with a container just now (``task_state``)."""

    CREATING = "container_creating"
    STARTING = "container_starting"
    DELETING = "container_deleting"
    STOPPING = "container_stopping"
    REBOOTING = "container_rebooting"
    PAUSING = "container_pausing"
    UNPAUSING = "container_unpausing"
    KILLING = "container_killing"
    REBUILDING = "container_rebuilding"
    ADDING_SG = "sg_adding"
    REMOVING_SG = "sg_removing"
    ATTACHING_NETWORK = "network_attaching"
    DETACHING_NETWORK = "network_detaching"


class Desired(enum.StrEnum):
    """What the user wants of a container; restart policies and self-healing read it."""

    CREATED = "created"
    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    DELETED = "deleted"


class EngineState(enum.StrEnum):
    """What an engine says of a container, in OCI's words and Docker's."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    EXITED = "exited"
    DEAD = "dead"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Health(enum.StrEnum):
    """What the check of a container's health says while it runs, in Docker's words."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What a host saw of one container, and of which of its lives (``incarnation`` counts the starts)."""

    container_uuid: str
    state: EngineState
    incarnation: int = 0
    #: of the container's objects, the one that was seen
    revision: int = 0
    engine_id: str | None = None
    exit_code: int | None = None
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    restart_count: int = 0
    health: Health | None = None
    #: what its probes say, where it has any: see :class:`zun.domain.probe.Standing`
    started: bool | None = None
    ready: bool | None = None
    #: what there is to say of it besides
    note: str | None = None


S, T, D, E = Status, Task, Desired, EngineState

SETTLED = frozenset({S.CREATED, S.RUNNING, S.STOPPED, S.PAUSED})
_BOOTABLE = frozenset({S.CREATED, S.RUNNING, S.STOPPED, S.ERROR})
_ENDED = frozenset({S.CREATED, S.STOPPED, S.ERROR, S.DEAD, S.DELETED})
_ANY = frozenset(S)
_STEADY = SETTLED | {S.ERROR, S.UNKNOWN}
_RUNNING = frozenset({S.RUNNING})


@dataclass(frozen=True, slots=True)
class Verb:
    """One row of the table of verbs.

    ``at_once`` is the status that the accepting transaction shows, ``task`` the task state until the work ends. ``done`` is the status
    on success where the host's own observation does not say it; ``failed`` the one on failure (None: unchanged).
    """

    name: str
    allowed: frozenset[Status]
    at_once: Status | None = None
    task: Task | None = None
    desired: Desired | None = None
    failed: Status | None = None
    #: a failure leaves what was there before, and that is what is shown then
    keeps: bool = False
    #: done by the host while the caller waits; leaves no action behind
    sync: bool = False


#: A verb that is not here does not exist. Three rows of delete are rows of the contract; the fourth is for a capsule's containers. Two
#: rows are for the containers of a host that is taken out of service, and is back (``domain/drain.py``): whatever runs, or might, is
#: stopped, and started again.
VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("create", frozenset(), S.CREATING, T.CREATING, None, S.ERROR),
        Verb("delete", _ENDED, S.DELETING, T.DELETING, D.DELETED, S.ERROR),
        Verb("delete_stop", _ENDED | {S.RUNNING}, S.DELETING, T.DELETING, D.DELETED, S.ERROR),
        Verb("delete_force", _ANY - {S.PAUSED}, S.DELETING, T.DELETING, D.DELETED, S.ERROR),
        Verb("delete_capsule", _ANY, S.DELETING, T.DELETING, D.DELETED, S.ERROR),
        Verb("start", frozenset({S.CREATED, S.STOPPED, S.ERROR}), None, T.STARTING, D.RUNNING, S.ERROR),
        Verb("stop", _RUNNING, None, T.STOPPING, D.STOPPED),
        Verb("stop_drain", _STEADY | {S.RESTARTING}, None, T.STOPPING, D.STOPPED),
        Verb("start_drain", _STEADY - {S.PAUSED}, None, T.STARTING, D.RUNNING, S.ERROR),
        Verb("reboot", _BOOTABLE, S.RESTARTING, T.REBOOTING, D.RUNNING),
        Verb("rebuild", _BOOTABLE, S.REBUILDING, T.REBUILDING, None, S.ERROR, keeps=True),
        Verb("pause", _RUNNING, None, T.PAUSING, D.PAUSED),
        Verb("unpause", frozenset({S.PAUSED}), None, T.UNPAUSING, D.RUNNING),
        Verb("kill", _RUNNING, None, T.KILLING, None),
        Verb("execute", _RUNNING, sync=True),
        Verb("execute_resize", _RUNNING, sync=True),
        Verb("attach", _RUNNING, sync=True),
        Verb("resize", _RUNNING, sync=True),
        Verb("top", _RUNNING, sync=True),
        Verb("stats", _RUNNING, sync=True),
        Verb("update", SETTLED, sync=True),
        Verb("resize_container", SETTLED),
        Verb("add_security_group", SETTLED, None, T.ADDING_SG),
        Verb("remove_security_group", SETTLED, None, T.REMOVING_SG),
        Verb("get_archive", SETTLED, sync=True),
        Verb("put_archive", SETTLED, sync=True),
        Verb("logs", SETTLED | {S.ERROR, S.UNKNOWN}, sync=True),
        Verb("commit", frozenset({S.RUNNING, S.STOPPED, S.PAUSED})),
        Verb("rename", _ANY, sync=True),
        Verb("network_attach", _ANY, None, T.ATTACHING_NETWORK),
        Verb("network_detach", _ANY, None, T.DETACHING_NETWORK),
        Verb("network_list", _ANY, sync=True),
    )
}


# --- news ----------------------------------------------------------------------------------------


class News(enum.StrEnum):
    """What may be learnt of a container: the ends of a verb, what an engine shows, what becomes of a host."""

    FAILED = "failed"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    EXITED = "exited"
    DEAD = "dead"
    MISSING = "missing"
    UNKNOWN = "unknown"
    HOST_LOST = "host_lost"


N = News

#: Statuses in which work is under way that will end by itself: what an engine shows meanwhile says nothing.
UNDER_WAY = frozenset({S.CREATING, S.REBUILDING, S.DELETING, S.DELETED})

_OBSERVABLE = frozenset({S.CREATED, S.RUNNING, S.STOPPED, S.PAUSED, S.RESTARTING, S.DEAD, S.UNKNOWN})

#: Where the end of a verb may show whatever the engine shows: nothing must be left in a status that only work can end.
_ENDING = _OBSERVABLE | {S.CREATING, S.REBUILDING}


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table of moves: this news, in one of these statuses, leads there (None: the status stays)."""

    news: News
    of: frozenset[Status]
    to: Status | None
    #: holds for an Error only when the news is of a life that began after it
    new_life_ends_error: bool = False


MOVES: tuple[Move, ...] = (
    Move(N.CREATED, frozenset({S.CREATING, S.REBUILDING, S.RESTARTING, S.UNKNOWN}), S.CREATED),
    Move(N.RUNNING, _ENDING, S.RUNNING, new_life_ends_error=True),
    Move(N.PAUSED, _ENDING, S.PAUSED, new_life_ends_error=True),
    Move(N.RESTARTING, _ENDING, S.RESTARTING),
    Move(N.EXITED, _ENDING, S.STOPPED, new_life_ends_error=True),
    Move(N.DEAD, _ENDING, S.DEAD),
    Move(N.MISSING, _ENDING, S.ERROR),
    Move(N.UNKNOWN, _ENDING, S.UNKNOWN),
    Move(N.HOST_LOST, _OBSERVABLE, S.UNKNOWN),
)


def moved(news: News, status: Status, *, new_life: bool = False) -> Status | None:
    """Where ``news`` leads from ``status``; None where the status stays."""
    for move in MOVES:
        if move.news is news and (status in move.of or (status is S.ERROR and move.new_life_ends_error and new_life)):
            return move.to
    return None


# --- the one function ----------------------------------------------------------------------------


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a container that this file decides. ``domain.container.Container`` carries the same fields."""

    status: Status
    status_reason: str | None = None
    task_state: Task | None = None
    desired: Desired = Desired.CREATED
    incarnation: int = 0
    restart_count: int = 0
    engine_id: str | None = None
    exit_code: int | None = None
    error: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    health: Health | None = None
    started: bool | None = None
    ready: bool | None = None


LIFE_FIELDS = tuple(Life.__struct_fields__)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A user's verb (or one of our own) was accepted. ``desired`` replaces the table's word where the verb's arguments decide it."""

    verb: str
    desired: Desired | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A host has taken the work in hand."""

    verb: str


@dataclass(frozen=True, slots=True)
class Done:
    """The work ended well; ``observed`` is what the engine showed then."""

    verb: str
    observed: Observation | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The work ended badly; ``observed`` is what the engine shows now, if it could be asked."""

    verb: str
    reason: str
    observed: Observation | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """A host saw the container outside of any work."""

    observation: Observation


@dataclass(frozen=True, slots=True)
class HostLost:
    """The host has been silent for too long."""

    host: str


@dataclass(frozen=True, slots=True)
class Unplaced:
    """No host takes the container, whatever was wanted of it."""

    reason: str


Event = Accepted | Claimed | Done | Failed | Observed | HostLost | Unplaced


class Unexpected(Exception):
    """The verb is not allowed in this status. The conductor turns it into a 409."""


def advance(life: Life, event: Event) -> Life:
    """The life after the event. Raises :class:`Unexpected` for a verb that the table does not allow."""
    match event:
        case Accepted(verb, desired):
            return _accepted(life, VERBS[verb], desired or VERBS[verb].desired or life.desired)
        case Claimed(verb):
            return _with(life, task_state=VERBS[verb].task)
        case Done(verb, observed):
            ended = _with(life, task_state=None)
            if _overtaken(life, VERBS[verb]):
                return _with(ended, **_news(life, observed))
            if observed is not None:
                return _seen(ended, observed, of=VERBS[verb])
            return _unseen(ended, VERBS[verb], "The container engine did not say how it ended.")
        case Failed(verb, reason, observed):
            return _failed(life, VERBS[verb], reason, observed)
        case Observed(observation):
            if life.status in UNDER_WAY or life.task_state is not None:
                return life
            return _seen(life, observation)
        case Unplaced(reason):
            return _with(life, status=S.ERROR, status_reason=reason, task_state=None)
        case HostLost(host):
            lost = moved(N.HOST_LOST, life.status)
            return _with(life, status=lost, status_reason=f"Host {host} does not answer.") if lost else life


def _accepted(life: Life, verb: Verb, desired: Desired) -> Life:
    if verb.name != "create" and life.status not in verb.allowed:
        raise Unexpected(verb.name)
    if verb.at_once is None:
        return _with(life, desired=desired)
    # The status that is shown at once and the task go together: news from the engine says nothing until the work has ended. A
    # create shows its task only when a host works on it.
    task = None if verb.name == "create" else verb.task
    return _with(life, status=verb.at_once, status_reason=None, task_state=task, desired=desired)


def _failed(life: Life, verb: Verb, reason: str, observed: Observation | None) -> Life:
    ended = _with(life, task_state=None)
    if _overtaken(life, verb):
        return _with(ended, **_news(life, observed))
    kept = verb.keeps and observed is not None and _lives_on(life, observed)
    if verb.failed is not None and not kept:
        return _with(ended, **_news(life, observed), status=verb.failed, status_reason=reason)
    # The status stays what it was, or becomes what the engine shows: a stop that failed leaves a running container running, and a
    # reboot that failed may have left it stopped.
    if observed is not None:
        seen = _seen(ended, observed, of=verb)
        if verb.desired is D.PAUSED and seen.status is S.RUNNING:
            seen = _with(seen, desired=D.RUNNING)
        return _with(seen, status_reason=reason) if kept else seen
    return _unseen(ended, verb, reason)


def _lives_on(life: Life, observed: Observation) -> bool:
    """Whether what was there before the work is there still, or something else runs in its place."""
    if observed.state is E.MISSING or (observed.state is E.CREATED and life.desired is D.RUNNING):
        return False
    return observed.state is E.RUNNING or observed.engine_id == life.engine_id


def _overtaken(life: Life, verb: Verb) -> bool:
    """Whether another verb was accepted since, and its work, which comes next, will show where the container stands."""
    return life.status in UNDER_WAY and life.status is not verb.at_once


def _news(life: Life, observed: Observation | None) -> dict[str, Any]:
    """The facts of an observation, if it is one and not of an earlier incarnation."""
    return _facts(life, observed) if observed is not None and observed.incarnation >= life.incarnation else {}


def _unseen(life: Life, verb: Verb, reason: str) -> Life:
    """The end of work of which nobody saw what it left: a status that only this work could end becomes Unknown, until somebody looks."""
    return _with(life, status=S.UNKNOWN, status_reason=reason) if life.status is verb.at_once else life


def _seen(life: Life, observation: Observation, of: Verb | None = None) -> Life:
    """Apply what an engine showed; ``of`` is the verb whose end it is, if any."""
    if observation.incarnation < life.incarnation:
        return life
    new_life = observation.incarnation > life.incarnation
    begins_anew = of is not None and of.failed is S.ERROR
    status = moved(News(observation.state.value), life.status, new_life=new_life or begins_anew)
    facts = _facts(life, observation)
    if status is None:
        return _with(life, **facts)
    return _with(life, **facts, status=status, status_reason=_reason(life, status, observation))


def _facts(life: Life, observation: Observation) -> dict[str, Any]:
    if observation.state is E.MISSING:
        return {"health": None, "started": observation.started, "ready": observation.ready}
    return {
        "incarnation": observation.incarnation,
        "restart_count": observation.restart_count,
        "engine_id": observation.engine_id or life.engine_id,
        "exit_code": observation.exit_code,
        "error": observation.error,
        "started_at": observation.started_at,
        "finished_at": observation.finished_at,
        "health": observation.health,
        "started": observation.started,
        "ready": observation.ready,
    }


def _reason(life: Life, status: Status, observation: Observation) -> str | None:
    if observation.state is E.MISSING:
        return f"No such container: {observation.container_uuid} in the container engine"
    if status is S.UNKNOWN:
        return observation.error or "The container engine does not know the state of the container."
    return observation.error or observation.note


def _with(life: Life, **changes: Any) -> Life:
    return msgspec.structs.replace(life, **changes)


def follow_up(life: Life, *, auto_remove: bool, auto_heal: bool, missing: bool) -> str | None:
    """The verb that the service itself accepts after news of a container, or None.

    ``auto_remove`` deletes a container that has ended or vanished; ``auto_heal`` makes one anew that has vanished from its engine.
    """
    if life.task_state is not None or life.status in UNDER_WAY:
        return None
    if auto_remove and (missing or life.status in (S.STOPPED, S.DEAD)):
        return "delete"
    return "rebuild" if auto_heal and missing else None
