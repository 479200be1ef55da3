"""The account of hosts and what is taken of them, kept in our own database: sums over the sandboxes that are placed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from zun import errors
from zun.domain.claim import Claim, taken_by
from zun.domain.host import COMPUTE, DEFAULT_ZONE, Hearing, Host, Service, Standing, always, capacity, standing
from zun.domain.resources import NAMES, Resources
from zun.domain.sandbox import Sandbox
from zun.domain.scheduling import Candidate
from zun.interfaces.store import ROWS, Store, Transaction


class LocalInventory:
    """Implements :class:`zun.interfaces.inventory.Inventory`. A sandbox's row is its claim: no second copy to leak or to mend."""

    name = "local"

    def __init__(self, store: Store, clock: Callable[[], datetime], service_down_time: int, hearing: Hearing = always) -> None:
        self._store = store
        self._clock = clock
        self._hearing = hearing
        self._service_down_time = service_down_time

    def candidates(self, sandbox: Sandbox, consumer: str) -> list[Candidate]:
        """See the Protocol. Every host is offered: the rows say what is free."""
        now, hearing = self._clock(), self._hearing()
        with self._store.read() as tx:
            services = {service.host: service for service in tx.find(Service, {"binary": COMPUTE})}
            used = tx.total(Sandbox, (*NAMES, ROWS), by="host")
            hosts = tx.find(Host)
        found = []
        for host in hosts:
            service = services.get(host.hostname)
            known = standing(service, now, self._service_down_time, hearing) if service else Standing.DOWN
            found.append(
                Candidate(
                    host=host,
                    used=_resources(used.get(host.hostname, {})),
                    up=known is Standing.UP,
                    silent=known is Standing.SILENT,
                    disabled=service is None or service.disabled,
                    availability_zone=service.availability_zone if service else DEFAULT_ZONE,
                    sandboxes=int(used.get(host.hostname, {}).get(ROWS, 0)),
                )
            )
        return found

    def claim(self, claim: Claim) -> None:
        """The claim is made by writing the row."""

    def follow(self, consumer: str) -> None:
        """There is nothing that could say anything else than the rows."""

    def check(self, tx: Transaction, sandbox: Sandbox, host: str, to: Resources) -> None:
        """See the Protocol. Only what is more than before must fit."""
        more = to - taken_by(sandbox) if sandbox.host == host else to
        tx.lock(f"host:{host}")
        row = next(iter(tx.find(Host, {"hostname": host})), None)
        if row is None:
            raise errors.HostNotFound(id=host)
        free = capacity(row) - _resources(tx.total(Sandbox, NAMES, {"host": host}).get(None, {}))
        # A host that is already overfull (its engine reports less than before) may still take what asks for nothing more of that.
        lacking = next((name for name in NAMES if getattr(more, name) > max(0, getattr(free, name)) + 1e-9), None)
        if lacking is not None:
            raise errors.InsufficientCapacity(host=host, resource=lacking, requested=getattr(more, lacking), free=getattr(free, lacking))


def _resources(sums: dict[str, float]) -> Resources:
    return Resources(
        cpu=round(sums.get("cpu") or 0.0, 6),
        memory=int(sums.get("memory") or 0),
        disk=int(sums.get("disk") or 0),
        pcpu=int(sums.get("pcpu") or 0),
    )
