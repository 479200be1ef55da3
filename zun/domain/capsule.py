"""Capsules: sandboxes of many. What is asked of one, what it takes of its host, which of its containers comes next, and its status.

A capsule has no status of its own: ``PHASES`` reads it off its containers, the first row that applies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from zun.domain import restart
from zun.domain.container import Container, amounts
from zun.domain.lifecycle import Desired, Status
from zun.domain.probe import KILLED
from zun.domain.resources import Resources, total

S = Status

#: The most containers of one capsule, whatever their kind: each is an object in the engine, and all are handed to a host at once.
MOST_CONTAINERS = 64

#: What an initialising container has where its capsule's containers are always restarted: it must come to an end some time.
INIT_POLICY = {"Name": "on-failure", "MaximumRetryCount": "10"}


class CapsuleWish(msgspec.Struct, frozen=True, kw_only=True):
    """A capsule as it is asked for: the sandbox's domain values by field name, and each container's, in order, initialising ones first."""

    sandbox: dict[str, Any]
    containers: list[dict[str, Any]]


def needs(containers: Sequence[Container]) -> Resources:
    """What a sandbox of these takes of its host: the regular ones run together, and before them each initialising one alone."""
    together = total(amounts(one) for one in containers if not one.init)
    alone = [amounts(one) for one in containers if one.init]
    return Resources(
        cpu=max([together.cpu, *(one.cpu for one in alone)]),
        memory=max([together.memory, *(one.memory for one in alone)]),
        pcpu=max([together.pcpu, *(one.pcpu for one in alone)]),
        disk=together.disk + sum(one.disk for one in alone),
    )


# --- one after the other -------------------------------------------------------------------------


def in_order(containers: Sequence[Container]) -> list[Container]:
    """Initialising ones first, each by its place."""
    return sorted(containers, key=lambda one: (not one.init, one.position))


def has_finished(container: Container) -> bool:
    """Whether an initialising container has done its work: it has ended with 0, and nobody needs it any more."""
    return container.exit_code == 0 and container.finished_at is not None


def due(containers: Sequence[Container]) -> list[Container]:
    """Those whose turn it is to begin for the first time: the next initialising one, or, after the last, all regular ones."""
    for one in in_order(containers):
        if one.init and not has_finished(one):
            return [one] if _waits(one) else []
    return [one for one in in_order(containers) if not one.init and _waits(one)]


def _waits(container: Container) -> bool:
    """Whether it was made and is to run, and has never begun."""
    return container.status is S.CREATED and container.desired is Desired.RUNNING and container.started_at is None


# --- what is shown of the whole ------------------------------------------------------------------


def _having(*statuses: Status) -> Callable[[Container], bool]:
    return lambda one: one.status in statuses


def _has_given_up(one: Container) -> bool:
    """An initialising container that has failed and is not tried again. One that a drain has stopped begins anew when its host is back."""
    ended = one.init and one.status in (S.STOPPED, S.DEAD) and not has_finished(one) and one.drained is None
    return ended and not restart.wanted(one.restart_policy, one.desired, one.exit_code, one.restart_count)


def _is_awaited(one: Container) -> bool:
    """An initialising container that has not finished, or a regular one that waits for its turn."""
    return one.init or _waits(one)


def _ended_badly(one: Container) -> bool:
    return not one.init and one.status is S.STOPPED and one.exit_code != 0 and one.desired is Desired.RUNNING


def _own_reason(one: Container) -> str | None:
    return one.status_reason


def _exit(one: Container) -> str | None:
    what = "Init container" if one.init else "Container"
    if one.exit_code is None:
        return one.status_reason
    return " ".join([f"{what} {one.name} ended with exit code {one.exit_code}.", *filter(None, [_killed(one)])])


def _killed(one: Container) -> str | None:
    """Why a probe has ended it, if one has."""
    return one.status_reason if one.status_reason is not None and one.status_reason.startswith(KILLED) else None


@dataclass(frozen=True, slots=True)
class Phase:
    """One row: when containers are so, this is the capsule's status. ``reason`` is taken of the first of those that are so."""

    when: str
    of: Callable[[Container], bool]
    to: Status
    #: it must be so of all that count, not just of one
    all: bool = False
    reason: Callable[[Container], str | None] = lambda one: None


#: The first row that applies. A container on its way out does not count unless all are; an initialising one that has finished, never.
PHASES: tuple[Phase, ...] = (
    Phase("all are Deleting", _having(S.DELETING, S.DELETED), S.DELETING, all=True),
    Phase("all are Creating", _having(S.CREATING), S.CREATING, all=True),
    Phase("one is in Error", _having(S.ERROR), S.ERROR, reason=_own_reason),
    Phase("an init container has failed for good", _has_given_up, S.ERROR, reason=_exit),
    Phase("one is Unknown", _having(S.UNKNOWN), S.UNKNOWN, reason=_own_reason),
    Phase("one has not had its turn yet, or an init container is at work", _is_awaited, S.CREATING),
    Phase("a regular one is Running", _having(S.RUNNING), S.RUNNING),
    Phase("one is being made", _having(S.CREATING), S.CREATING),
    Phase("one is being rebuilt", _having(S.REBUILDING), S.REBUILDING),
    Phase("one is about to be restarted", _having(S.RESTARTING), S.RESTARTING, reason=_own_reason),
    Phase("one is Paused", _having(S.PAUSED), S.PAUSED),
    Phase("one is Dead", _having(S.DEAD), S.DEAD, reason=_own_reason),
    Phase("all have ended, one of them badly", _ended_badly, S.STOPPED, reason=_exit),
    Phase("one was made and is not to run", _having(S.CREATED), S.CREATED),
    Phase("all have ended", _having(S.STOPPED), S.STOPPED, reason=_killed),
)


def ready(containers: Sequence[Container]) -> bool:
    """Whether the capsule can be given work: its regular containers run, and no probe says of one that it is not ready."""
    regular = [one for one in containers if not one.init]
    return bool(regular) and all(one.status is S.RUNNING and one.ready is not False for one in regular)


def phase(containers: Sequence[Container]) -> tuple[Status, str | None]:
    """The capsule's status and the reason for it, read off its containers. Unknown for none."""
    staying = [one for one in containers if one.status not in (S.DELETING, S.DELETED)] or list(containers)
    counted = [one for one in in_order(staying) if not (one.init and has_finished(one))] or in_order(staying)
    for row in PHASES:
        found = [one for one in counted if row.of(one)]
        if found and (len(found) == len(counted) or not row.all):
            return row.to, _said(row, found[0], counted)
    return S.UNKNOWN, None


def _said(row: Phase, found: Container, counted: Sequence[Container]) -> str | None:
    """The reason of the one that was found, by its name where not all say the same."""
    reason = row.reason(found)
    if reason is None or row.reason is _exit or all(row.reason(one) == reason for one in counted):
        return reason
    return f"Container {found.name}: {reason}"
