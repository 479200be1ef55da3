"""Named steps, each with what it does and how that is undone.

A step must be idempotent: a process that dies in the middle is followed by one that runs the same saga from its start. A step that
fails, fails the saga: every step that was begun is undone, the last one first. What could not be undone is named in
:class:`SagaFailed`, so that the caller can record it and have it undone later with :func:`unwind`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

LOG = logging.getLogger(__name__)

C = TypeVar("C")

#: Called with "<step>:before", "<step>:after", "<step>:undo"; a test raises from it or ends the process.
FaultPoint = Callable[[str], None]


def no_fault(point: str) -> None:
    """The fault point of production: nothing happens there."""


@dataclass(frozen=True, slots=True)
class Step(Generic[C]):
    """One step. ``undo`` is None where nothing is left behind that another step's undo would not remove."""

    name: str
    do: Callable[[C], None]
    undo: Callable[[C], None] | None = None


@dataclass(slots=True)
class StepRecord:
    """What became of one step, for the action's list of events."""

    name: str
    started: datetime
    finished: datetime
    error: str | None = None


@dataclass(slots=True)
class Record:
    """What became of a saga, step by step."""

    steps: list[StepRecord] = field(default_factory=list)


class SagaFailed(Exception):
    """A step failed. ``leftovers`` names the begun steps whose undo failed too, the last one first."""

    def __init__(self, step: str, cause: Exception, leftovers: Sequence[str]) -> None:
        super().__init__(f"{step}: {cause}")
        self.step = step
        self.cause = cause
        self.leftovers = list(leftovers)


class SagaInterrupted(Exception):
    """A step met an error that will pass. Nothing was undone; run the same saga again later."""

    def __init__(self, step: str, cause: Exception) -> None:
        super().__init__(f"{step}: {cause}")
        self.step = step
        self.cause = cause


def run(
    steps: Sequence[Step[C]],
    context: C,
    *,
    clock: Callable[[], datetime],
    record: Record | None = None,
    fault: FaultPoint = no_fault,
    cancelled: Callable[[], None] = lambda: None,
    passing: Callable[[Exception], bool] = lambda cause: False,
) -> None:
    """Do every step in order.

    ``cancelled`` is asked before every step and raises to give up. Raises :class:`SagaFailed` after the undoing, or
    :class:`SagaInterrupted` without it for an error of which ``passing`` says that it will pass.
    """
    begun: list[Step[C]] = []
    for step in steps:
        started = clock()
        error: str | None = None
        try:
            cancelled()
            begun.append(step)
            fault(f"{step.name}:before")
            step.do(context)
            fault(f"{step.name}:after")
        except Exception as cause:
            error = str(cause) or type(cause).__name__
            if passing(cause):
                raise SagaInterrupted(step.name, cause) from cause
            raise SagaFailed(step.name, cause, unwind(begun, context, fault=fault)) from cause
        finally:
            if record is not None:
                record.steps.append(StepRecord(step.name, started, clock(), error))


def unwind(steps: Iterable[Step[C]], context: C, *, fault: FaultPoint = no_fault) -> list[str]:
    """Undo ``steps``, the last one first; one that fails does not keep the others from being undone. Returns the names of the failed."""
    leftovers = []
    for step in reversed(list(steps)):
        if step.undo is None:
            continue
        try:
            fault(f"{step.name}:undo")
            step.undo(context)
        except Exception:
            # It is tried again; whoever wonders why it is not done finds it here.
            LOG.warning("step %s could not be undone", step.name, exc_info=True)
            leftovers.append(step.name)
    return leftovers
