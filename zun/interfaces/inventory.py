"""Who has room, and who has taken it."""

from __future__ import annotations

from typing import Protocol

from zun.domain.resources import Resources
from zun.domain.sandbox import Sandbox
from zun.domain.scheduling import Candidate
from zun.interfaces.store import Transaction


class Inventory(Protocol):
    """The account of what hosts have and what sandboxes take of it. The transaction is the one in which the decision is written."""

    name: str

    def candidates(self, tx: Transaction) -> list[Candidate]:
        """Every host that has ever reported, with what is taken of it."""

    def claim(self, tx: Transaction, sandbox: Sandbox, host: str) -> None:
        """Take the sandbox's resources on the host. Raises InsufficientCapacity when somebody else was faster."""

    def resize(self, tx: Transaction, sandbox: Sandbox, to: Resources) -> None:
        """Change what a placed sandbox takes. Raises InsufficientCapacity and changes nothing when there is no room."""

    def release(self, tx: Transaction, sandbox: Sandbox) -> None:
        """Give back what the sandbox took; may be repeated."""
