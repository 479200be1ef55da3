"""Which moves of a status the tables allow, and a store that remembers those that were made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zun.domain.container import Container
from zun.domain.lifecycle import MOVES, VERBS, Status


def legal() -> frozenset[tuple[Status, Status]]:
    """Every pair of (before, after) that a row of the two tables explains."""
    pairs = {(status, status) for status in Status}
    for move in MOVES:
        pairs |= {(before, move.to) for before in move.of if move.to}
        if move.new_life_ends_error and move.to:
            pairs.add((Status.ERROR, move.to))
    for verb in VERBS.values():
        if verb.at_once is not None:
            pairs |= {(before, verb.at_once) for before in verb.allowed}
            # of the end of such work nobody may have seen anything
            pairs.add((verb.at_once, Status.UNKNOWN))
        if verb.failed is not None:
            # While a host works on it, the host may be lost, or the container die.
            during = {verb.at_once} if verb.at_once else verb.allowed | {Status.UNKNOWN, Status.RUNNING}
            pairs |= {(before, verb.failed) for before in during}
    return frozenset(pairs)


class Recorder:
    """Remembers, of every change that was committed, the move of the status, and whether an incarnation ever decreased."""

    def __init__(self) -> None:
        self.moves: set[tuple[Status, Status]] = set()
        self.backwards: list[str] = []

    def wrap(self, store):
        """The store, watched."""
        return _Watched(store, self)

    def note(self, before: Container, after: Container) -> None:
        self.moves.add((before.status, after.status))
        if after.incarnation < before.incarnation:
            self.backwards.append(after.uuid)


class _Watched:
    def __init__(self, store, recorder: Recorder) -> None:
        self._store, self._recorder = store, recorder
        self.read, self.close = store.read, store.close

    @contextmanager
    def write(self) -> Iterator:
        with self._store.write() as tx:
            watched = _Transaction(tx)
            yield watched
        self._keep(watched)

    def settle(self, decide: Callable):
        tries = []

        def attempt(tx):
            tries.append(_Transaction(tx))
            return decide(tries[-1])

        answer = self._store.settle(attempt)
        self._keep(tries[-1])
        return answer

    def _keep(self, watched) -> None:
        for before, after in watched.changes:
            self._recorder.note(before, after)


class _Transaction:
    def __init__(self, tx) -> None:
        self._tx = tx
        self.changes: list[tuple[Container, Container]] = []

    def __getattr__(self, name: str):
        return getattr(self._tx, name)

    def save(self, row):
        if isinstance(row, Container):
            self.changes.append((self._tx.get(Container, row.uuid), row))
        return self._tx.save(row)
