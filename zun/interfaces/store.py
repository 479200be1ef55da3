"""Where rows live. The promises are tested by ``zun.conformance.store``.

Rows are the entities of the domain, whole; what is read is never changed in place. ``where`` maps field names to values: a plain value
is equality, None is "is null", a tuple is "one of", :class:`Before` is "earlier than", :class:`Above` "greater than",
:class:`UpTo` "no greater than". Fields marked ``of`` another entity can be read,
filtered and sorted by like any other; writing them is done on their owner.

All calls may raise :class:`~zun.errors.StoreUnavailable`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

from zun.domain.event import Event
from zun.domain.model import Entity

E = TypeVar("E", bound=Entity)
R = TypeVar("R")
L = TypeVar("L", bound=Callable[[], Sequence[Event]])

Where = Mapping[str, Any]

#: in the place of a field that is to be summed up: how many rows there are
ROWS = "*"


class Before(msgspec.Struct, frozen=True):
    """A condition on a time: earlier than ``moment`` (and not null)."""

    moment: datetime


class Above(msgspec.Struct, frozen=True):
    """A condition on a whole number: greater than ``number`` (and not null)."""

    number: int


class UpTo(msgspec.Struct, frozen=True):
    """A condition on a whole number: no greater than ``number`` (and not null)."""

    number: int


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list. Ties of the key are broken by ``id``, so that pages never overlap, and null comes before every value;
    ``marker`` is the uuid of the last row seen."""

    limit: int | None = None
    marker: str | None = None
    sort_key: str = "id"
    descending: bool = False


class Transaction(Protocol):
    """One transaction: all of it happens or nothing. An error of the database ends it, even one that the block swallows."""

    def get(self, entity: type[E], uuid: str) -> E | None:
        """The row, or None."""

    def find(self, entity: type[E], where: Where = ..., page: Page = ...) -> list[E]:
        """The rows that meet every condition, in order of ``id`` unless the page says otherwise.

        Raises MarkerNotFound for a marker that no row has, InvalidValue for a sort key that is no field.
        """

    def each(self, entity: type[E], where: Where = ..., page: Page = ...) -> Generator[E, None, None]:
        """The same rows, made as they are fetched, because many at once are megabytes. Nothing else is asked for before the last one or its
        ``close``."""

    def count(self, entity: type[E], where: Where = ...) -> int:
        """How many rows meet every condition."""

    def total(self, entity: type[E], names: Sequence[str], where: Where = ..., by: str | None = None) -> dict[Any, dict[str, float]]:
        """The sums of the named fields over the rows, by the value of the field ``by`` (one group under None if it is None). The name
        :data:`ROWS` is the number of the rows."""

    def add(self, row: E) -> E:
        """Write a new row; gives it ``id``, ``created_at`` and ``updated_at``. Raises Duplicate."""

    def save(self, row: E) -> E:
        """Write a changed row, if it still has the generation that it was read with; gives it the next one. Raises StaleRow."""

    def drop(self, row: Entity) -> None:
        """Delete the row, if it still has the generation that it was read with. Raises StaleRow."""

    def clear(self, entity: type[Entity], where: Where) -> int:
        """Delete every row that meets the conditions, whatever its generation. For rows that nobody changes. Answers how many."""

    def tell(self, event: Event) -> None:
        """Write an event at the end of the transaction. It is given its ``cursor`` then: one more than the last of its project, and who
        sees it has seen, or can see, all that have a lower one."""

    def tell_last(self, project_id: str, key: str, make: Callable[[], L]) -> L:
        """What is told only when everything else is written: the same object for the same key, made when it is first asked for.

        It is called at the end of the transaction, when nobody else can tell anything of the project, and answers the project's events
        that come after all others. It sees what everybody who told before has committed. It may read, and must not write.
        """

    def after(self, then: Callable[[], None]) -> None:
        """``then`` is called once when the transaction has been committed, and never where it was not, by the thread that has written: it
        must neither wait nor raise."""

    def lock(self, name: str) -> None:
        """Wait until no other transaction holds this name, and hold it until this one ends. For sums that must not be raced."""


class Store(Protocol):
    """The database."""

    def read(self) -> AbstractContextManager[Transaction]:
        """A consistent look at it."""

    def look(self) -> AbstractContextManager[Transaction]:
        """For who asks once: like ``read``, but each question sees what is committed when it is asked. On a database server it costs a
        third of that: no transaction is begun and ended for it."""

    def write(self) -> AbstractContextManager[Transaction]:
        """One try to change it. Commits at the end of the block, rolls back when an exception leaves it."""

    def settle(self, decide: Callable[[Transaction], R]) -> R:
        """Run ``decide`` in a write transaction; again, from the start, when it lost a race (StaleRow, deadlock). Returns its answer."""

    def close(self) -> None:
        """Give up every connection."""
