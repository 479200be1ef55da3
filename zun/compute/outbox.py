"""What the agent has to tell, kept until a conductor has heard it: over a lost connection, over a conductor's restart."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable

from zun import errors
from zun.domain.lifecycle import Observation
from zun.interfaces.rpc import Conductor, Outcome, SandboxFacts
from zun.pulse import Pulse

LOG = logging.getLogger(__name__)

Item = Outcome | Observation | SandboxFacts

#: Seconds until a delivery that failed is tried again.
AGAIN = 1.0


class Outbox:
    """Delivers outcomes and observations in order; of one container only the newest observation is kept."""

    def __init__(
        self, conductor: Conductor, host: str, epoch: str, *, delivered: Callable[[str], None], pulse: Callable[..., Pulse] = Pulse
    ) -> None:
        """``delivered`` is called with the uuid of every action whose outcome a conductor has heard; ``pulse`` makes the thread."""
        self._conductor = conductor
        self._host = host
        self._epoch = epoch
        self._delivered = delivered
        self._lock = threading.Lock()
        #: each with the number of the report that it is
        self._items: OrderedDict[str, tuple[int, Item]] = OrderedDict()
        self._number = 0
        self._pulse = pulse("outbox", self._deliver, every=AGAIN, first_after=AGAIN)

    def start(self) -> None:
        """Begin to deliver."""
        self._pulse.start()

    def stop(self) -> None:
        """End. What was not delivered is not lost: the next life of the agent does the work again, or sees the same."""
        self._pulse.stop()

    def put(self, item: Item) -> None:
        """Tell this, after everything that is waiting already."""
        key = _key(item)
        with self._lock:
            self._items.pop(key, None)
            self._number += 1
            self._items[key] = (self._number, item)
        self._pulse.poke()

    def _deliver(self) -> None:
        while True:
            with self._lock:
                if not self._items:
                    return
                key, (number, item) = next(iter(self._items.items()))
            try:
                self._send(item, number)
            except Exception as error:
                if isinstance(error, errors.ZunError) and error.retryable:
                    LOG.warning("no conductor hears: %s", error)
                    return
                # The next claim hands the action out again. What can never be told must not keep the rest waiting.
                LOG.exception("the conductor refuses %s", key)
            with self._lock:
                # It may have been replaced by something newer while it was being sent: that one stays.
                if self._items.get(key, (0, None))[0] == number:
                    del self._items[key]
            if isinstance(item, Outcome):
                self._delivered(item.action_uuid)

    def _send(self, item: Item, number: int) -> None:
        match item:
            case Outcome():
                self._conductor.finish(self._host, self._epoch, item, number)
            case Observation():
                self._conductor.observe(self._host, self._epoch, [item], [], number)
            case SandboxFacts():
                self._conductor.observe(self._host, self._epoch, [], [item], number)


def _key(item: Item) -> str:
    match item:
        case Outcome():
            return f"action {item.action_uuid}"
        case Observation():
            return f"container {item.container_uuid}"
        case SandboxFacts():
            return f"sandbox {item.sandbox_uuid}"
