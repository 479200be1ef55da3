"""The account of hosts and what is taken of them, kept in our own database: sums over the sandboxes that are placed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from zun import errors
from zun.domain.host import COMPUTE, DEFAULT_ZONE, Hearing, Host, Service, Standing, always, capacity, standing
from zun.domain.resources import NAMES, Resources
from zun.domain.sandbox import Sandbox
from zun.domain.scheduling import Candidate
from zun.interfaces.store import ROWS, Transaction


class LocalInventory:
    """Implements :class:`zun.interfaces.inventory.Inventory`. A sandbox's row is its claim: no second copy to leak or to mend."""

    name = "local"

    def __init__(self, clock: Callable[[], datetime], service_down_time: int, hearing: Hearing = always) -> None:
        self._clock = clock
        self._hearing = hearing
        self._service_down_time = service_down_time

    def candidates(self, tx: Transaction) -> list[Candidate]:
        """Every host that has ever reported."""
        now, hearing = self._clock(), self._hearing()
        services = {service.host: service for service in tx.find(Service, {"binary": COMPUTE})}
        used = tx.total(Sandbox, (*NAMES, ROWS), by="host")
        found = []
        for host in tx.find(Host):
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

    def claim(self, tx: Transaction, sandbox: Sandbox, host: str) -> None:
        """The claim is made by writing the host into the sandbox's row, in this transaction, by the caller; here it is checked."""
        self._check(tx, host, _claimed(sandbox))

    def resize(self, tx: Transaction, sandbox: Sandbox, to: Resources) -> None:
        """As :meth:`claim`: only what is more than before must fit."""
        if sandbox.host is None:
            return
        more = to - _claimed(sandbox)
        self._check(
            tx,
            sandbox.host,
            Resources(cpu=max(0.0, more.cpu), memory=max(0, more.memory), disk=max(0, more.disk), pcpu=max(0, more.pcpu)),
        )

    def release(self, tx: Transaction, sandbox: Sandbox) -> None:
        """The claim ends with the host in the sandbox's row."""

    def _check(self, tx: Transaction, hostname: str, more: Resources) -> None:
        tx.lock(f"host:{hostname}")
        host = next(iter(tx.find(Host, {"hostname": hostname})), None)
        if host is None:
            raise errors.HostNotFound(id=hostname)
        taken = tx.total(Sandbox, NAMES, {"host": hostname}).get(None, {})
        free = capacity(host) - _resources(taken)
        lacking = free.lacking(more)
        # A host that is already overfull (its engine reports less than before) may still take what asks for nothing more of that.
        if lacking is not None and getattr(more, lacking) > 0:
            raise errors.InsufficientCapacity(
                host=hostname, resource=lacking, requested=getattr(more, lacking), free=getattr(free, lacking)
            )


def _claimed(sandbox: Sandbox) -> Resources:
    return Resources(cpu=sandbox.cpu, memory=sandbox.memory, disk=sandbox.disk, pcpu=sandbox.pcpu)


def _resources(sums: dict[str, float]) -> Resources:
    return Resources(
        cpu=round(sums.get("cpu") or 0.0, 6),
        memory=int(sums.get("memory") or 0),
        disk=int(sums.get("disk") or 0),
        pcpu=int(sums.get("pcpu") or 0),
    )
