"""Claims that come before their rows: for what a living sandbox is to take more, asked outside of the writing transaction (ADR 27)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from zun.domain.claim import Claim, claim_of, taken_by
from zun.domain.resources import Resources
from zun.domain.sandbox import Sandbox, device_of
from zun.interfaces.inventory import Inventory
from zun.interfaces.store import Store, Transaction


@contextmanager
def ahead(store: Store, inventory: Inventory, plan: Callable[[Transaction], Claim | None]) -> Iterator[None]:
    """Claim what the block is about to write; what comes of it otherwise is followed. ``plan`` answers None where nothing more is needed.

    Raises InsufficientCapacity, InventoryUnavailable, and what ``plan`` raises.
    """
    with store.read() as tx:
        claim = plan(tx)
    if claim is None:
        yield
        return
    try:
        inventory.claim(claim)
        yield
    except BaseException:
        inventory.follow(claim.consumer)
        raise


def grown(sandbox: Sandbox, container_uuid: str, needed: Resources) -> Claim | None:
    """The claim of a placed sandbox that is to take so much: None where it is no more of anything than it has. What it shall take less of
    it has until that is written."""
    before = taken_by(sandbox)
    if sandbox.host is None or before.lacking(needed) is None:
        return None
    return claim_of(sandbox, container_uuid, sandbox.host, before.most(needed))


def followed(tx: Transaction, inventory: Inventory, sandbox: Sandbox, container_uuid: str) -> None:
    """Have the inventory follow what this transaction makes of the sandbox of a container."""
    tx.after(partial(inventory.follow, device_of(sandbox, container_uuid)))
