"""How far an image on its way has come, told while it is under way, and seldom enough that telling costs nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from zun import errors
from zun.domain.action import StepEvent
from zun.interfaces.runtime import Progress

LOG = logging.getLogger(__name__)

#: seconds between two times that the conductors are told
EVERY = 1.0

#: An image of more layers than this is not counted to the end; engines allow fewer.
_MOST_LAYERS = 500
_MIB = 1 << 20
_MOVING = frozenset({"Downloading", "Pushing"})
_THERE = frozenset({"Pull complete", "Already exists", "Pushed", "Layer already exists"})


@dataclass(slots=True)
class _Layer:
    there: bool = False
    done: int = 0
    total: int = 0


@dataclass(slots=True)
class Gauge:
    """What an engine has told of one image, added up."""

    layers: dict[str, _Layer] = field(default_factory=dict)

    def add(self, told: Progress) -> None:
        """Count one thing that the engine tells."""
        counts = told.what in _MOVING and told.done is not None and told.total is not None
        if not told.of or not (counts or told.what in _THERE or told.what in ("Pulling fs layer", "Preparing", "Waiting")):
            return
        if told.of not in self.layers and len(self.layers) >= _MOST_LAYERS:
            return
        layer = self.layers.setdefault(told.of, _Layer())
        if counts:
            layer.done, layer.total = min(told.done or 0, told.total or 0), told.total or 0
        elif told.what in _THERE:
            layer.there, layer.done = True, layer.total

    def words(self) -> str:
        """``2 of 5 layers, 12.3 of 40.0 MiB (30 %)``; of bytes only those that the engine has begun to count."""
        there = sum(layer.there for layer in self.layers.values())
        done, total = (sum(getattr(layer, name) for layer in self.layers.values()) for name in ("done", "total"))
        text = f"{there} of {len(self.layers)} layers" if self.layers else "asking the registry"
        return f"{text}, {done / _MIB:.1f} of {total / _MIB:.1f} MiB ({100 * done // total} %)" if total else text


class Reporter:
    """Tells of the steps of one action. Safe to use from several threads."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = datetime.now,
        tell: Callable[[StepEvent], None] = lambda event: None,
        cancelled: Callable[[], None] = lambda: None,
    ) -> None:
        """``tell`` reaches the conductors; ``cancelled`` raises where the work is not wanted any more."""
        self._clock = clock
        self._tell = tell
        self._cancelled = cancelled
        self._lock = threading.Lock()
        #: by step, what came of it in a few words
        self.details: dict[str, str] = {}

    def step(self, name: str) -> Callable[[Progress], None]:
        """What a step hands to an engine to be told how far it has come. It raises what ``cancelled`` raises."""
        gauge, started = Gauge(), self._clock()
        last: datetime | None = None
        shown = ""

        def progress(told: Progress) -> None:
            nonlocal last, shown
            self._cancelled()
            with self._lock:
                gauge.add(told)
                words, now = gauge.words(), self._clock()
                self.details[name] = words
                if words == shown or (last is not None and abs((now - last).total_seconds()) < EVERY):
                    return
                last, shown = now, words
            try:
                self._tell(StepEvent(event=event_name(name), start_time=started, details=words))
            except errors.ZunError as error:
                LOG.info("nobody hears how far %s has come: %s", name, error)

        return progress


def event_name(step: str) -> str:
    """What a step is called in the record of its action."""
    return f"compute__{step}"
