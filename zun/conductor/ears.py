"""Whether this process would hear of hosts, and since when: nobody is called down by who is deaf himself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from zun import errors
from zun.conductor.journal import Clock

LOG = logging.getLogger(__name__)


class Ears:
    """Goes the way of a host's heartbeat again and again: to a conductor, and to the database behind it. Where that is barred (the broker
    is away, the database is, or this process was held up) no heartbeat came through either.
    """

    def __init__(self, ask: Callable[[], None], *, clock: Clock, service_down_time: int) -> None:
        """``ask`` goes that way; it raises ServiceUnavailable where it does not get through. What went through longer ago than half of
        ``service_down_time`` seconds says nothing of now."""
        self._ask = ask
        self._clock = clock
        self._fresh = timedelta(seconds=service_down_time / 2)
        self._lock = threading.Lock()
        self._since: datetime | None = None
        self._last: datetime | None = None

    def listen(self) -> None:
        """Go there once."""
        try:
            self._ask()
        except errors.ServiceUnavailable as error:
            with self._lock:
                deaf, self._since, self._last = self._last is None, None, None
            LOG.log(logging.DEBUG if deaf else logging.WARNING, "no host can be heard: %s", error)
            return
        except errors.ZunError as error:
            # A conductor of another release does not know the question; but it was there to be asked.
            LOG.debug("asked whether hosts can be heard: %s", error)
        now = self._clock()
        with self._lock:
            again = not self._is_fresh(now)
            if again:
                self._since = now
            self._last = now
        if again:
            LOG.info("hosts can be heard from now on; of those that are silent it is not said yet that they are down")

    def hearing(self) -> datetime | None:
        """Since when, without a break; None while nothing is heard."""
        now = self._clock()
        with self._lock:
            return self._since if self._is_fresh(now) else None

    def _is_fresh(self, now: datetime) -> bool:
        return self._last is not None and abs(now - self._last) <= self._fresh
