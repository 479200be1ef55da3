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
    """Runs tasks on up to ``workers`` threads, made as they are needed; never two tasks of one lane at a time.

    The threads are daemons: a task that never ends (a system call that hangs) does not keep the process from ending.
    """

    def __init__(self, workers: int) -> None:
        self._most = workers
        self._lock = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._ready: queue.SimpleQueue[tuple[str, Task] | None] = queue.SimpleQueue()
        #: tasks that are ready or under way
        self._given = 0
        self._waiting: dict[str, deque[Task]] = {}
        self._later: list[tuple[float, int, str, Task]] = []
        self._order = itertools.count()
        self._closed = False
        self._timer = threading.Thread(target=self._wait, name="lanes-timer", daemon=True)
        self._timer.start()

    def put(self, lane: str, task: Task, *, after: float = 0.0) -> None:
        """Do ``task`` when the lane is free, but not before ``after`` seconds from now. After :meth:`close` it is not done at all."""
        with self._lock:
            if self._closed:
                return
            if after > 0:
                heapq.heappush(self._later, (time.monotonic() + after, next(self._order), lane, task))
                self._lock.notify_all()
                return
            if lane in self._waiting:
                self._waiting[lane].append(task)
                return
            self._waiting[lane] = deque()
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
        if self._given > len(self._threads) and len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name=f"lane-{len(self._threads)}", daemon=True)
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
            waiting = self._waiting.get(lane)
            if self._closed or waiting is None:
                self._lock.notify_all()
            elif waiting:
                self._give(lane, waiting.popleft())
            else:
                del self._waiting[lane]

    def _wait(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    return
                now = time.monotonic()
                due = [heapq.heappop(self._later) for _ in range(len(self._later)) if self._later and self._later[0][0] <= now]
                if not due:
                    self._lock.wait(self._later[0][0] - now if self._later else None)
            for _, _, lane, task in due:
                self.put(lane, task)
