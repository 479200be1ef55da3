"""Who has room, and who has taken it.

The row of a sandbox says what it takes, and of which host; that is the account of this service, and :meth:`Inventory.check` guards it in
the transaction that writes the row. Another service may keep an account too, of which others take as well. It is asked before
(:meth:`Inventory.claim`), and follows afterwards (:meth:`Inventory.follow`), never within a transaction. So whatever is lost in between,
the rows are right, and the other account is brought in line with them (ADR 27).
"""

from __future__ import annotations

from typing import Protocol

from zun.domain.claim import Claim
from zun.domain.resources import Resources
from zun.domain.sandbox import Sandbox
from zun.domain.scheduling import Candidate
from zun.interfaces.store import Transaction


class Inventory(Protocol):
    """The account of what hosts have and what sandboxes take of it. Safe for several threads."""

    name: str

    # -- outside of any transaction: another service may be asked -------------------------------------

    def candidates(self, sandbox: Sandbox, consumer: str) -> list[Candidate]:
        """Every host that has ever reported, with what is taken of it; ``offered`` where there is room for the sandbox for all that
        another account says. ``consumer`` is what it claims as: what that has claimed and no row says is no hindrance, and may be given
        back. Raises InventoryUnavailable."""

    def claim(self, claim: Claim) -> None:
        """Claim before the row says so, instead of what the consumer has claimed until now. May be repeated. What never comes to be in a
        row must be followed. Raises InsufficientCapacity (nothing is changed then), InventoryUnavailable."""

    def follow(self, consumer: str) -> None:
        """The rows say something else of this consumer now, or nothing any more: the account will say the same, soon. Does not wait, and
        raises nothing. What a crash has kept from being followed is found by looking."""

    # -- in the transaction that writes the row -------------------------------------------------------

    def check(self, tx: Transaction, sandbox: Sandbox, host: str, to: Resources) -> None:
        """That the sandbox may take so much of the host, instead of what it takes there already. The host is locked until the transaction
        ends, in which the caller writes the row. Raises InsufficientCapacity, HostNotFound."""
