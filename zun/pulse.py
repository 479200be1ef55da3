"""A thread that does one thing: at once when it is poked, and every so often in case a poke was lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

LOG = logging.getLogger(__name__)


class Pulse:
    """Runs ``beat`` in a thread of its own until stopped. An exception from ``beat`` is logged and ends that beat only."""

    def __init__(self, name: str, beat: Callable[[], None], every: float, *, first_after: float = 0.0) -> None:
        self._beat = beat
        self._every = every
        self._first_after = first_after
        self._poked = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first beat comes after ``first_after`` seconds or the first poke."""
        self._thread.start()

    def poke(self) -> None:
        """Beat now, or once more after the beat that is under way."""
        self._poked.set()

    def stop(self, timeout: float = 5.0) -> None:
        """Finish the beat that is under way, if it ends within ``timeout`` seconds, and no other."""
        self._stopping.set()
        self._poked.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        self._poked.wait(self._first_after)
        while not self._stopping.is_set():
            self._poked.clear()
            try:
                self._beat()
            except Exception:
                LOG.exception("%s failed; it goes on in %s s", self._thread.name, self._every)
            self._poked.wait(self._every)
