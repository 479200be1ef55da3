"""What hosts tell: that they live, what they have, what they saw."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from zun import errors
from zun.conductor import journal
from zun.conductor.journal import Clock
from zun.domain.container import Container
from zun.domain.host import COMPUTE, Host, Service
from zun.domain.lifecycle import EngineState, Observation, Observed, Status
from zun.domain.sandbox import Sandbox
from zun.interfaces.rpc import Charge, HostReport, SandboxFacts
from zun.interfaces.store import Store, Transaction

LOG = logging.getLogger(__name__)


class Observe:
    """What hosts may tell a conductor (half of :class:`zun.interfaces.rpc.Conductor`; ``work.Desk`` is the other)."""

    def __init__(self, store: Store, *, clock: Clock, poke: Callable[[str | None], None]) -> None:
        self._store = store
        self._clock = clock
        self._poke = poke

    def hello(self, host: str, epoch: str, report: HostReport) -> list[Charge]:
        """The agent of a host has begun a life. Work of its earlier lives is handed out again by its next claim."""

        def write(tx: Transaction) -> list[Charge]:
            self._report(tx, host, epoch, report)
            return [journal.charge(tx, sandbox) for sandbox in tx.find(Sandbox, {"host": host})]

        return self._store.settle(write)

    def heartbeat(self, host: str, epoch: str, report: HostReport) -> list[str]:
        """The agent lives and its engine answers. Answers the containers that are Unknown: it believes that it has told of them.

        Those of a host that an operator says is down stay Unknown until he says that no more.
        """

        def write(tx: Transaction) -> list[str]:
            if not self._living(tx, host, epoch):
                raise errors.Superseded(host=host)
            self._report(tx, host, epoch, report)
            if tx.count(Service, {"host": host, "binary": COMPUTE, "forced_down": True}):
                return []
            return [container.uuid for container in tx.find(Container, {"host": host, "status": Status.UNKNOWN})]

        return self._store.settle(write)

    def observe(self, host: str, epoch: str, observations: list[Observation], sandboxes: list[SandboxFacts], number: int = 0) -> None:
        """Store what was seen. News of a container that is on another host, or gone, or being undone, is dropped, and what is older than
        what has been heard."""

        def write(tx: Transaction) -> bool:
            if not self._hears(tx, host, epoch, number):
                return False
            for facts in sandboxes:
                self._sandbox(tx, host, facts)
            accepted = [self._seen(tx, host, observation) for observation in observations]
            return any(accepted)

        if self._store.settle(write):
            journal.nudge(self._poke, host)

    def hears(self) -> None:
        """See the interface."""
        with self._store.write() as tx:
            tx.count(Service)

    def unknown(self, host: str, sandboxes: list[str]) -> list[str]:
        """Those that no row places on this host."""
        with self._store.read() as tx:
            known = {sandbox.uuid for sandbox in tx.find(Sandbox, {"host": host, "uuid": tuple(sandboxes)})}
        return [sandbox for sandbox in sandboxes if sandbox not in known]

    def unknown_containers(self, host: str, containers: list[str]) -> list[str]:
        """Those that no row places on this host."""
        with self._store.read() as tx:
            known = {container.uuid for container in tx.find(Container, {"host": host, "uuid": tuple(containers)})}
        return [container for container in containers if container not in known]

    def _living(self, tx: Transaction, host: str, epoch: str) -> bool:
        """Whether no other life of the host's agent has begun since this one."""
        service = next(iter(tx.find(Service, {"host": host, "binary": COMPUTE})), None)
        return service is None or service.epoch in (None, epoch)

    def _hears(self, tx: Transaction, host: str, epoch: str, number: int) -> bool:
        """Whether this is news, of a host's present life. A report that comes again while its first copy is being written down is news
        once: both write the same row."""
        service = next(iter(tx.find(Service, {"host": host, "binary": COMPUTE})), None)
        if service is None or number == 0:
            return service is None or service.epoch in (None, epoch)
        if service.epoch not in (None, epoch) or number <= service.heard:
            return False
        tx.save(replace(service, heard=number))
        return True

    def _seen(self, tx: Transaction, host: str, observation: Observation) -> bool:
        """Returns whether the service itself has accepted new work."""
        container = tx.get(Container, observation.container_uuid)
        if container is None or container.host != host or journal.undoing(tx, container):
            return False
        missing = observation.state is EngineState.MISSING and observation.incarnation >= container.incarnation
        container = journal.apply(tx, container, Observed(observation))
        follows = journal.follow(tx, container, missing=missing, now=self._clock())
        return follows or journal.proceed(tx, container.sandbox_uuid, self._clock())

    def _sandbox(self, tx: Transaction, host: str, facts: SandboxFacts) -> None:
        sandbox = tx.get(Sandbox, facts.sandbox_uuid)
        if sandbox is not None and sandbox.host == host:
            journal.record_sandbox(tx, facts)

    def _report(self, tx: Transaction, hostname: str, epoch: str, report: HostReport) -> None:
        facts: dict[str, Any] = msgspec.structs.asdict(report.facts) | {
            "enable_cpu_pinning": bool(report.cpu_dedicated_set),
            "cpu_dedicated_set": report.cpu_dedicated_set,
            "cpu_shared_set": report.cpu_shared_set,
            "numa_topology": report.numa_topology,
            "cpu_allocation_ratio": report.cpu_allocation_ratio,
            "ram_allocation_ratio": report.ram_allocation_ratio,
            "reserved_memory": report.reserved_memory,
            "reserved_cpus": report.reserved_cpus,
            "reserved_disk": report.reserved_disk,
            "shared_with_nova": report.shared_with_nova,
        }
        host = next(iter(tx.find(Host, {"hostname": hostname})), None)
        if host is None:
            tx.add(Host(uuid=str(uuid.uuid4()), hostname=hostname, **facts))
        elif replace(host, **facts) != host:
            tx.save(replace(host, **facts))
        service = next(iter(tx.find(Service, {"host": hostname, "binary": COMPUTE})), None)
        if service is None:
            try:
                service = tx.add(Service(uuid=str(uuid.uuid4()), host=hostname, binary=COMPUTE))
            except errors.Duplicate as raced:
                raise errors.StaleRow(entity="Service", id=hostname) from raced
        tx.save(
            replace(
                service,
                availability_zone=report.availability_zone,
                last_seen_up=self._clock(),
                report_count=service.report_count + 1,
                epoch=epoch,
                heard=service.heard if service.epoch == epoch else 0,
            )
        )
