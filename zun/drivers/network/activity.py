"""Waiting for ports: one question asks for all that anybody on this host waits for, because each costs Neutron what it could work with."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable

from zun import errors
from zun.drivers.network.cloud import Neutron, Port

#: Seconds between two looks: soon after a port was plugged, and when it takes long.
_SOON, _LATER = 0.1, 0.25
_LONG = 4.0
#: Seconds after which the agent is reminded of a port, and again after twice as many each time. Where the agents of the switch and of DHCP
#: tell Neutron in the same moment that they have done their part, each is taken for the first one, and the port stays DOWN for ever though
#: it is wired: seen with Neutron 29. And an agent that has lost its broker may have lost what it was told of the port: DHCP's misses it for
#: good.
_STUCK = 15.0

BINDING_FAILED = "binding_failed"


class Activity:
    """Which ports have become active. Safe for several threads."""

    def __init__(
        self,
        neutron: Neutron,
        *,
        host: str,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``timeout`` seconds a port may take."""
        self._neutron = neutron
        self._host = host
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        #: by how many each port is waited for
        self._wanted: Counter[str] = Counter()
        self._wanting = threading.Lock()
        #: what was answered last, for whom, and when it was asked
        self._known: dict[str, Port] = {}
        self._asked_for: frozenset[str] = frozenset()
        self._asked_at = float("-inf")

    def wait(self, ports: set[str], cancelled: Callable[[], None] = lambda: None, longest: float | None = None) -> None:
        """Wait for all of them, for ``longest`` seconds where that is less than a port may take. Raises BindingFailed, PortNotActive,
        NetworkUnavailable, NetworkRefused, and what ``cancelled`` raises to give up."""
        with self._wanting:
            self._wanted.update(ports)
        try:
            self._wait(set(ports), cancelled, self._timeout if longest is None else min(longest, self._timeout))
        finally:
            with self._wanting:
                self._wanted -= Counter(ports)

    def _wait(self, wanted: set[str], cancelled: Callable[[], None], timeout: float) -> None:
        begun = self._clock()
        patience = min(_STUCK, timeout / 2)
        stuck = begun + patience
        while wanted:
            now = self._clock()
            pause = _SOON if now - begun < _LONG else _LATER
            found = self._look(wanted, now - pause)
            for uuid in sorted(wanted):
                if uuid not in found:
                    raise errors.BindingFailed(port=uuid, host=self._host, reason="somebody has deleted it meanwhile.")
                if found[uuid].vif_type == BINDING_FAILED:
                    raise errors.BindingFailed(port=uuid, host=self._host, reason="no mechanism of Neutron's can bind it there.")
            wanted = {uuid for uuid in wanted if found[uuid].status != "ACTIVE"}
            if wanted and self._clock() > begun + timeout:
                raise errors.PortNotActive(port=min(wanted), seconds=round(timeout), host=self._host)
            if wanted and self._clock() > stuck:
                patience *= 2
                stuck = self._clock() + patience
                for uuid in sorted(wanted):
                    # It is a help, and no condition: who may not have it waits as before.
                    with contextlib.suppress(errors.NetworkRefused):
                        self._neutron.remind(uuid)
            if wanted:
                self._sleep(pause)
                cancelled()

    def _look(self, ports: set[str], since: float) -> dict[str, Port]:
        """What Neutron says of these, asked after ``since``; what somebody else has asked is as good."""
        with self._lock:
            if self._asked_at < since or not ports <= self._asked_for:
                with self._wanting:
                    asked = frozenset(self._wanted)
                at = self._clock()
                self._known = {port.id: port for port in self._neutron.states(asked)}
                self._asked_for, self._asked_at = asked, at
            return self._known
