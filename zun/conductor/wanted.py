"""What is wanted of a sandbox's host, by what the database says of all that it names."""

from __future__ import annotations

from zun.domain import hints
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox
from zun.domain.scheduling import Wanted
from zun.interfaces.store import Transaction


def of(tx: Transaction, sandbox: Sandbox) -> Wanted:
    """Read with the decision's own transaction, so that what it is decided on is what it is written on."""
    hinted = hints.read(sandbox.hints)
    return Wanted(
        sandbox=sandbox,
        beside=_hosts(tx, sandbox, hinted.same_host) if hinted.same_host else None,
        apart=_hosts(tx, sandbox, hinted.different_host),
        architectures=hinted.architectures,
    )


def _hosts(tx: Transaction, sandbox: Sandbox, named: frozenset[str]) -> frozenset[str]:
    """The hosts of the containers and capsules of these uuids, if they are its own project's: where others' are is nobody's business, and
    their uuids are as good as unknown. What is unknown, or has no host, is nowhere."""
    if not named:
        return frozenset()
    where = {"uuid": tuple(named), "project_id": sandbox.project_id}
    found = [one.host for one in tx.find(Container, where)] + [one.host for one in tx.find(Sandbox, {**where, "capsule": True})]
    return frozenset(host for host in found if host is not None)
