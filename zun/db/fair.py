"""A lock that serves who waits in the order of coming."""

from __future__ import annotations

import threading
from collections import deque


class FairLock:
    """A mutual exclusion for threads, first come, first served.

    SQLite lets waiting writers poll, so that under load one of fifty may wait for ever; a writer that queues here first does not.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._owner: int | None = None
        self._waiting: deque[tuple[int, threading.Event]] = deque()

    def acquire(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for the lock. Raises RuntimeError in the thread that holds it, which would wait for itself."""
        me, turn = threading.get_ident(), threading.Event()
        with self._guard:
            if self._owner is None:
                self._owner = me
                return True
            if self._owner == me:
                raise RuntimeError("this thread is inside a write transaction already")
            self._waiting.append((me, turn))
        try:
            if turn.wait(timeout):
                return True
        except BaseException:
            if not self._gave_up(me, turn):
                self.release()
            raise
        return not self._gave_up(me, turn)

    def _gave_up(self, me: int, turn: threading.Event) -> bool:
        """Leave the queue; False if the lock was handed over in the last moment."""
        with self._guard:
            if turn.is_set():
                return False
            self._waiting.remove((me, turn))
            return True

    def release(self) -> None:
        """Hand the lock to who has waited longest."""
        with self._guard:
            if not self._waiting:
                self._owner = None
                return
            self._owner, turn = self._waiting.popleft()
            turn.set()
