"""The slow round: what no event will ever tell."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from zun import errors
from zun.conductor import journal, once
from zun.conductor.journal import Clock
from zun.domain.container import Container
from zun.domain.host import COMPUTE, Hearing, Service, Standing, always, standing
from zun.domain.lifecycle import MOVES, HostLost, News
from zun.interfaces.store import Store, Transaction

LOG = logging.getLogger(__name__)

_LOSABLE = tuple(next(move.of for move in MOVES if move.news is News.HOST_LOST))


class Sweep:
    """Finds hosts that have fallen silent; their containers become Unknown until their first scan settles them. Removes what is too old."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        service_down_time: int,
        forget: Callable[[], None] = lambda: None,
        hearing: Hearing = always,
    ) -> None:
        """``forget`` is done in each round, too: what is old goes."""
        self._store = store
        self._clock = clock
        self._service_down_time = service_down_time
        self._forget = forget
        self._hearing = hearing

    def run(self) -> None:
        """One round."""
        self._check_hosts()
        try:
            once.sweep(self._store, self._clock())
        except errors.ZunError:
            LOG.exception("old idempotency keys could not be removed")

    def _check_hosts(self) -> None:
        with self._store.read() as tx:
            services = tx.find(Service, {"binary": COMPUTE})
            down = [service.host for service in services if self._is_down(service)]
            lost = tx.find(Container, {"host": tuple(down), "status": _LOSABLE}) if down else []
        self._forget()
        for container in lost:
            try:
                self._store.settle(partial(self._lose, container=container))
            except errors.ZunError:
                LOG.exception("container %s could not be marked", container.uuid)

    def _is_down(self, service: Service) -> bool:
        return standing(service, self._clock(), self._service_down_time, self._hearing()) is Standing.DOWN

    def _lose(self, tx: Transaction, container: Container) -> None:
        current = tx.get(Container, container.uuid)
        if current is not None and current.host == container.host:
            journal.apply(tx, current, HostLost(container.host or ""))
