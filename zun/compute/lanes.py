"""A lane for every sandbox: what concerns one sandbox is done one by one, in order; no sandbox waits for another."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

LOG = logging.getLogger(__name__)

Task = Callable[[], None]


class Lanes:
    """Runs tasks on a pool of threads, never two of one lane at a time."""

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="lane")
        self._lock = threading.Condition()
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
                self._lock.notify()
                return
            if lane in self._waiting:
                self._waiting[lane].append(task)
                return
            self._waiting[lane] = deque()
            self._pool.submit(self._run, lane, task)

    def close(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            self._later.clear()
            self._lock.notify()
        self._timer.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, lane: str, task: Task) -> None:
        try:
            task()
        except Exception:
            LOG.exception("a task of sandbox %s failed", lane)
        with self._lock:
            waiting = self._waiting.get(lane)
            if self._closed or waiting is None:
                return
            if waiting:
                self._pool.submit(self._run, lane, waiting.popleft())
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
