"""What only operators decide: what projects may have, and which hosts take work."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar

from msgspec.structs import replace

from zun import errors
from zun.conductor import allowance, image_desk, journal, leavings
from zun.conductor.journal import Clock
from zun.domain.container import Container
from zun.domain.host import COMPUTE, DrainState, Hearing, Host, Service, Standing, always, standing
from zun.domain.host_image import Image
from zun.domain.lifecycle import Desired
from zun.domain.quota import ClassLimit, ProjectLimit, Quota
from zun.interfaces.inventory import Inventory
from zun.interfaces.store import Store, Transaction

L = TypeVar("L", ProjectLimit, ClassLimit)


class Admin:
    """Limits of projects and classes, and the services on hosts. Limits are given by resource: whole numbers, -1 for none."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        *,
        clock: Clock,
        configured: Quota,
        service_down_time: int,
        sweep: Callable[[], None],
        hearing: Hearing = always,
    ) -> None:
        """``configured`` are the limits of a project where no row says otherwise; ``sweep`` has hosts that are silent, or drained, or back
        looked for at once."""
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._configured = configured
        self._service_down_time = service_down_time
        self._sweep = sweep
        self._hearing = hearing

    # -- limits ----------------------------------------------------------------------------------

    def limits(self, project_id: str) -> Quota:
        """The limits that hold for a project."""
        with self._store.read() as tx:
            return allowance.of_project(tx, project_id, self._configured)

    def usages(self, project_id: str) -> tuple[Quota, Quota]:
        """The limits that hold for a project, and what it has, at one moment."""
        with self._store.read() as tx:
            return allowance.of_project(tx, project_id, self._configured), allowance.usage(tx, project_id)

    def default_limits(self) -> Quota:
        """The limits of a project that was given none."""
        with self._store.read() as tx:
            return allowance.default(tx, self._configured)

    def class_limits(self, name: str) -> Quota:
        """The limits of a class; the configuration's for a class that nobody has heard of."""
        with self._store.read() as tx:
            return allowance.of_class(tx, name, self._configured)

    def limit_project(self, project_id: str, given: Mapping[str, int]) -> Quota:
        """Give a project limits of its own; the others stay as they are. What it has beyond them it keeps. Returns its limits."""

        def write(tx: Transaction) -> Quota:
            allowance.lock(tx, project_id)
            rows = tx.find(ProjectLimit, {"project_id": project_id})
            _set(tx, rows, given, lambda **new: ProjectLimit(project_id=project_id, **new))
            return allowance.of_project(tx, project_id, self._configured)

        return self._store.settle(write)

    def unlimit_project(self, project_id: str) -> None:
        """Take a project's own limits from it, if it has any: the defaults hold for it again."""

        def write(tx: Transaction) -> None:
            allowance.lock(tx, project_id)
            for row in tx.find(ProjectLimit, {"project_id": project_id}):
                tx.drop(row)

        self._store.settle(write)

    def limit_class(self, name: str, given: Mapping[str, int]) -> Quota:
        """Give a class limits; the others stay as they are. Those of the class ``default`` hold at once. Returns its limits."""

        def write(tx: Transaction) -> Quota:
            tx.lock(f"class:{name}")
            rows = tx.find(ClassLimit, {"class_name": name})
            _set(tx, rows, given, lambda **new: ClassLimit(class_name=name, **new))
            return allowance.of_class(tx, name, self._configured)

        return self._store.settle(write)

    # -- services --------------------------------------------------------------------------------

    def enable(self, host: str, binary: str, *, restart: bool = False) -> Service:
        """Let the host have new work again, which ends its drain. With ``restart`` what its last drain has stopped is started again, except
        for what its users have said something else of since. Raises ServiceNotFound."""

        def write(tx: Transaction) -> Service:
            service = _service(tx, host, binary)
            going_on = service.drain_state is DrainState.RESTARTING or (restart and service.drain_id is not None)
            state = DrainState.RESTARTING if going_on else None
            return tx.save(replace(service, disabled=False, disabled_reason=None, drain_state=state, drain_deadline=None))

        service = self._store.settle(write)
        journal.nudge(lambda _: self._sweep(), host)
        return service

    def disable(self, host: str, binary: str, reason: str | None) -> Service:
        """Give the host no new work; its containers are left alone. Raises ServiceNotFound."""
        service = self._save(host, binary, disabled=True, disabled_reason=reason)
        journal.nudge(lambda _: self._sweep(), host)
        return service

    def drain(self, host: str, binary: str, timeout: int, reason: str | None) -> Service:
        """Give the host no new work, and stop each of its containers: by its own grace, and within ``timeout`` seconds. May be repeated,
        with another timeout. It holds until the host is enabled. Raises ServiceNotFound; InvalidValue for a service that has none.
        """

        def write(tx: Transaction) -> Service:
            if _service(tx, host, binary).binary != COMPUTE:
                raise errors.InvalidValue(field="binary", rule=f"must be {COMPUTE}: no other service has containers")
            # Placing takes the same lock before it gives the host a sandbox.
            tx.lock(f"host:{host}")
            service = _service(tx, host, binary)
            changed = replace(
                service,
                disabled=True,
                disabled_reason=reason or service.disabled_reason,
                drain_state=DrainState.DRAINING,
                drain_deadline=self._clock() + timedelta(seconds=timeout),
                # What another drain has stopped is not this one's to start; one that goes on, or comes before all is back, is the same.
                drain_id=service.drain_id if service.drain_state is not None else journal.new_uuid(),
            )
            return tx.save(changed)

        service = self._store.settle(write)
        journal.nudge(lambda _: self._sweep(), host)
        return service

    def force_down(self, host: str, binary: str, down: bool) -> Service:
        """Say that the host is down, whatever it says itself, or say that no more. Raises ServiceNotFound."""
        service = self._save(host, binary, forced_down=down)
        if down:
            journal.nudge(lambda _: self._sweep(), host)
        return service

    def forget(self, host: str, binary: str) -> None:
        """Delete a service, and with ``zun-compute`` its host: it is not expected back. Raises ServiceNotFound, HostInUse.

        A host that has containers is not forgotten: they would be on no host that anybody can see, and could neither be used nor
        deleted. Those of a host that is down and whose deletion was accepted are forgotten with it, for nobody is left to do it; should
        the host come back after all, its agent removes what no row knows. A service that still runs is there again with its next
        heartbeat.
        """

        def write(tx: Transaction) -> None:
            service = _service(tx, host, binary)
            if binary == COMPUTE:
                # Placing takes the same lock before it gives the host a sandbox.
                tx.lock(f"host:{host}")
                self._clear(tx, service)
            tx.drop(service)

        self._store.settle(write)
        journal.nudge(lambda _: self._sweep(), host)

    def _clear(self, tx: Transaction, service: Service) -> None:
        down = standing(service, self._clock(), self._service_down_time, self._hearing()) is Standing.DOWN
        for container in tx.find(Container, {"host": service.host}):
            if not down or container.desired is not Desired.DELETED:
                raise errors.HostInUse(host=service.host, count=tx.count(Container, {"host": service.host}))
            leavings.forget(tx, container, self._inventory)
        for image in tx.find(Image, {"host": service.host}):
            image_desk.forget(tx, image)
        for row in tx.find(Host, {"hostname": service.host}):
            tx.drop(row)

    def _save(self, host: str, binary: str, **changes: object) -> Service:
        return self._store.settle(lambda tx: tx.save(replace(_service(tx, host, binary), **changes)))


def _service(tx: Transaction, host: str, binary: str) -> Service:
    found = tx.find(Service, {"host": host, "binary": binary})
    if not found:
        raise errors.ServiceNotFound(binary=binary, host=host)
    return found[0]


def _set(tx: Transaction, rows: list[L], given: Mapping[str, int], new: Callable[..., L]) -> None:
    kept = {row.resource: row for row in rows}
    for resource, hard_limit in given.items():
        row = kept.get(resource)
        if row is None:
            tx.add(new(uuid=str(uuid.uuid4()), resource=resource, hard_limit=hard_limit))
        elif row.hard_limit != hard_limit:
            tx.save(replace(row, hard_limit=hard_limit))
