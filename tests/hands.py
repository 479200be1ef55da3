"""What stands in for threads, time and an engine's events where a test drives a world by hand."""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from zun.drivers.runtime.fake import FakeRuntime
from zun.drivers.runtime.fake_engine import FakeEngine
from zun.interfaces.runtime import EngineEvent
from zun.pulse import Pulse

LOG = logging.getLogger(__name__)


class Killed(BaseException):
    """The agent's process ends here, without a word. No code of ours catches it."""


class Clock:
    """A time that moves a little with every look at it, and otherwise when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, 12)
        #: seconds that have passed, whatever the clock on the wall did
        self.passed = 0.0

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def pass_time(self, seconds: float) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)
        self.passed += seconds

    def step(self, seconds: float) -> None:
        """Somebody sets the clock on the wall."""
        self.now += timedelta(seconds=seconds)


class HandPulse(Pulse):
    """A pulse without a thread: it beats when the test says so."""

    def __init__(self, name: str, beat: Callable[[], None], every: float, *, first_after: float = 0.0) -> None:
        self.name, self._do, self.poked, self.alive = name, beat, False, False

    def start(self) -> None:
        self.alive = True

    def stop(self, timeout: float = 5.0) -> None:
        self.alive = False

    def poke(self) -> None:
        self.poked = True

    def beat(self) -> None:
        """One beat, as a pulse's thread makes it."""
        self.poked = False
        if self.alive:
            try:
                self._do()
            except Exception:
                LOG.exception("%s failed", self.name)


class HandLanes:
    """Lanes without threads: one task at a time, when the test says so; of the lanes that wait, chance picks the next one."""

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self._clock, self._chance = clock, chance
        self._waiting: dict[str, deque[Callable[[], None]]] = {}
        self._later: list[tuple[float, str, Callable[[], None]]] = []
        self.faults: list[Exception] = []
        self._closed = False

    def put(self, lane: str, task: Callable[[], None], *, after: float = 0.0) -> None:
        if self._closed:
            return
        if after > 0:
            self._later.append((self._clock.passed + after, lane, task))
        else:
            self._waiting.setdefault(lane, deque()).append(task)

    def close(self, patience: float = 0.0) -> None:
        self._closed = True
        self._waiting.clear()
        self._later.clear()

    def run_one(self) -> bool:
        """Run a task that waits; False if there is none."""
        due = [item for item in self._later if item[0] <= self._clock.passed + 1e-6]
        for item in sorted(due, key=lambda item: item[0]):
            self._later.remove(item)
            self._waiting.setdefault(item[1], deque()).append(item[2])
        if not self._waiting:
            return False
        lane = self._chance.choice(list(self._waiting))
        task = self._waiting[lane].popleft()
        if not self._waiting[lane]:
            del self._waiting[lane]
        try:
            task()
        except Exception as fault:
            LOG.exception("a task of %s failed", lane)
            self.faults.append(fault)
        return True

    def waits(self) -> list[float]:
        """The seconds until each task that is not due yet."""
        return [due - self._clock.passed for due, _, _ in self._later]


class Engine(FakeEngine):
    """An engine whose troubles may end."""

    def forgive(self) -> None:
        """Forget every fault that was ordered and has not happened yet."""
        with self.changed:
            self._faults.clear()


class HandRuntime(FakeRuntime):
    """A client of the engine whose events are those so far, so that listening ends."""

    def __init__(self, engine: FakeEngine) -> None:
        super().__init__(engine)
        self.engine = engine
        self._listening = False
        self.miss_news()

    def miss_news(self) -> None:
        """What happened so far will never be heard of."""
        self._heard = max((number for number, _, _ in self.engine.news), default=0)

    def has_news(self) -> bool:
        """Whether listening would bring something: news, or the scan with which it begins after a break."""
        self._listening &= self.engine.up
        return not self._listening or any(number > self._heard for number, _, _ in self.engine.news)

    def events(self, since: datetime | None = None) -> Iterator[EngineEvent]:
        with self._call("events"):
            fresh = [(number, event) for number, _, event in self.engine.news if number > self._heard]
        self.miss_news()
        self._listening = True
        return iter([event for _, event in fresh])
