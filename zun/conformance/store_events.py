"""Events: numbered in the order of their commits, whoever writes them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from zun.conformance.store_fixtures import Stores, sandbox, together
from zun.domain.event import Event, Kind, What
from zun.domain.sandbox import Sandbox
from zun.interfaces.store import Above, Page, Store, Transaction, UpTo

HOME = "00000000-0000-0000-0000-000000000000"


def event(project: str = "red", **given: Any) -> Event:
    """An event that is not told yet."""
    return Event(uuid="", project_id=project, kind=Kind.CONTAINER, what=What.STATUS, resource_uuid=HOME, sandbox_uuid=HOME, **given)


def happened(store: Store, project: str = "red", after: int = 0) -> list[Event]:
    with store.read() as tx:
        return tx.find(Event, {"project_id": project, "cursor": Above(after)}, Page(sort_key="cursor"))


class _Last:
    """Tells how many sandboxes there are."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def __call__(self) -> list[Event]:
        return [event(name=f"{self._tx.count(Sandbox)} there")]


class EventPromises(Stores):
    """What is told with ``Transaction.tell``."""

    def test_events_are_numbered_from_one_in_each_project_without_gaps(self, store: Store) -> None:
        for name in ("one", "two"):
            with store.write() as tx:
                tx.tell(event(name=name))
                tx.tell(event("blue", name=name))
                tx.tell(event(name=f"{name} more"))
        with pytest.raises(ZeroDivisionError), store.write() as tx:
            tx.tell(event(name="never"))
            raise ZeroDivisionError
        with store.write() as tx:
            tx.tell(event(name="three"))
        assert [(each.cursor, each.name) for each in happened(store)] == [
            (1, "one"),
            (2, "one more"),
            (3, "two"),
            (4, "two more"),
            (5, "three"),
        ]
        assert [(each.cursor, each.name) for each in happened(store, "blue")] == [(1, "one"), (2, "two")]
        assert [each.cursor for each in happened(store, after=3)] == [4, 5]
        assert len({each.uuid for each in happened(store)}) == 5
        assert all(each.created_at is not None for each in happened(store))

    def test_a_change_that_is_taken_back_is_not_told(self, store: Store) -> None:
        row = sandbox()
        with pytest.raises(ZeroDivisionError), store.write() as tx:
            tx.add(row)
            tx.tell(event())
            raise ZeroDivisionError
        assert happened(store) == []

    def test_what_is_told_last_sees_all_that_is_written_and_comes_after_all_else(self, store: Store) -> None:
        row = sandbox()
        with store.write() as tx:
            last = tx.tell_last("red", "it", lambda: _Last(tx))
            assert tx.tell_last("red", "it", lambda: _Last(tx)) is last
            tx.tell(event(name="first"))
            tx.add(row)
        assert [each.name for each in happened(store)] == ["first", "1 there"]
        with store.write() as tx:
            tx.tell_last("red", "silent", lambda: list[Event])
        with pytest.raises(ZeroDivisionError), store.write() as tx:
            tx.tell_last("red", "it", lambda: _Last(tx))
            raise ZeroDivisionError
        assert len(happened(store)) == 2

    def test_of_two_who_change_at_once_the_later_sees_what_the_earlier_has_done(self, store: Store) -> None:
        def decide(tx: Transaction) -> None:
            tx.add(sandbox())
            tx.tell_last("red", "it", lambda: _Last(tx))

        together(6, lambda _: store.settle(decide))
        assert [each.name for each in happened(store)] == [f"{count} there" for count in range(1, 7)]

    def test_events_are_forgotten_up_to_a_number_and_the_next_one_goes_on(self, store: Store) -> None:
        with store.write() as tx:
            for _ in range(5):
                tx.tell(event())
            tx.tell(event("blue"))
        with store.write() as tx:
            assert tx.clear(Event, {"project_id": "red", "cursor": UpTo(4)}) == 4
            tx.tell(event())
        assert [each.cursor for each in happened(store)] == [5, 6]
        assert [each.cursor for each in happened(store, "blue")] == [1]

    def test_who_follows_many_writers_misses_nothing_and_sees_nothing_twice(self, store: Store) -> None:
        writers, each = 8, 15
        ended = threading.Event()

        def follow(_: int) -> list[Event]:
            seen: list[Event] = []
            while True:
                last = ended.is_set()
                seen += happened(store, after=seen[-1].cursor if seen else 0)
                if last:
                    return seen

        def write(number: int) -> None:
            def decide(tx: Transaction, name: str) -> None:
                # The other project first, or last: neither order may end in a deadlock for ever.
                for project in ("red", "blue") if number % 2 else ("blue", "red"):
                    tx.tell(event(project, name=name))
                tx.add(sandbox())

            for count in range(each):
                store.settle(lambda tx, count=count: decide(tx, f"{number}-{count}"))  # type: ignore[misc]

        with ThreadPoolExecutor(3) as pool:
            following = [pool.submit(follow, number) for number in range(3)]
            together(writers, write)
            ended.set()
            found = [future.result(timeout=60) for future in following]
        for seen in found:
            assert [one.cursor for one in seen] == list(range(1, writers * each + 1))
            assert len({one.name for one in seen}) == writers * each
        with store.read() as tx:
            assert tx.count(Sandbox) == writers * each

    def test_a_reader_never_goes_past_what_is_still_to_be_committed(self, store: Store) -> None:
        told, may_end = threading.Event(), threading.Event()

        def slow() -> None:
            with store.write() as tx:
                tx.tell(event(name="slow"))
                told.set()
                may_end.wait(0.5)

        with ThreadPoolExecutor(2) as pool:
            waiting = pool.submit(slow)
            told.wait()
            other = pool.submit(store.settle, lambda tx: tx.tell(event(name="quick")))
            first = happened(store)
            may_end.set()
            waiting.result()
            other.result()
        # Whichever came first, what was seen before is the beginning of what is seen after.
        assert happened(store)[: len(first)] == first
        assert [each.cursor for each in happened(store)] == [1, 2]
