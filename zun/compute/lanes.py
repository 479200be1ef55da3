"""A lane for every sandbox: what concerns one sandbox is done one by one, in order; no sandbox waits for another."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable

LOG = logging.getLogger(__name__)

Task = Callable[[], None]

#: Seconds that :meth:`Lanes.close` waits for what is under way.
PATIENCE = 3.0


class Lanes:
    """Runs tasks on up to ``workers`` threads, made as they are needed; never more than ``width`` tasks of one lane at a time.

    The threads are daemons: a task that never ends (a system call that hangs) does not keep the process from ending.
    """

    def __init__(self, workers: int, width: int = 1, name: str = "lane") -> None:
        self._most, self._width, self._name = workers, width, name
        self._lock = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._ready: queue.SimpleQueue[tuple[str, Task] | None] = queue.SimpleQueue()
        #: tasks that are ready or under way
        self._given = 0
        self._waiting: dict[str, deque[Task]] = {}
        #: by lane, how many of its tasks are ready or under way; a lane of none is not there
        self._given_of: dict[str, int] = {}
        self._later: list[tuple[float, int, str, Task]] = []
        self._order = itertools.count()
        self._closed = False
        self._timer = threading.Thread(target=self._wait, name=f"{name}s-timer", daemon=True)
        self._timer.start()

    def put(self, lane: str, task: Task, *, after: float = 0.0) -> None:
        """Do ``task`` when the lane is free, but not before ``after`` seconds from now. After :meth:`close` it is not done at all."""
        with self._lock:
            if self._closed:
                return
            if after > 0:
                item = (time.monotonic() + after, next(self._order), lane, task)
                heapq.heappush(self._later, item)
                if self._later[0] is item:
                    self._lock.notify_all()
                return
            if self._given_of.get(lane, 0) >= self._width:
                self._waiting.setdefault(lane, deque()).append(task)
                return
            self._give(lane, task)

    def close(self, patience: float = PATIENCE) -> None:
        """Begin nothing more, and wait up to ``patience`` seconds for what is under way. May be repeated, to wait again."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            self._later.clear()
            self._lock.notify_all()
            ended = self._lock.wait_for(lambda: self._given == 0, patience)
            threads, self._threads = self._threads, self._threads if not ended else []
        self._timer.join()
        if ended:
            for _ in threads:
                self._ready.put(None)
            for thread in threads:
                thread.join()
        else:
            LOG.info("some work is still under way")

    def _give(self, lane: str, task: Task) -> None:
        """With the lock held: let a thread do it."""
        self._given += 1
        self._given_of[lane] = self._given_of.get(lane, 0) + 1
        if self._given > len(self._threads) and len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._ready.put((lane, task))

    def _work(self) -> None:
        while (given := self._ready.get()) is not None:
            self._run(*given)

    def _run(self, lane: str, task: Task) -> None:
        try:
            if not self._closed:
                task()
        except Exception:
            LOG.exception("a task of sandbox %s failed", lane)
        with self._lock:
            self._given -= 1
            self._given_of[lane] -= 1
            if not self._given_of[lane]:
                del self._given_of[lane]
            waiting = self._waiting.get(lane)
            if self._closed:
                self._lock.notify_all()
            elif waiting:
                self._give(lane, waiting.popleft())
            else:
                self._waiting.pop(lane, None)

    def _wait(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    return
                now = time.monotonic()
                due = []
                while self._later and self._later[0][0] <= now:
                    due.append(heapq.heappop(self._later))
                if not due:
                    self._lock.wait(self._later[0][0] - now if self._later else None)
            for _, _, lane, task in due:
                self.put(lane, task)
