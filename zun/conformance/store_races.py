"""Many threads at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from zun import errors
from zun.conformance.store_fixtures import Stores, container, host, names, sandbox, together, written
from zun.domain.container import Container
from zun.domain.host import Host
from zun.domain.sandbox import Sandbox
from zun.interfaces.store import Store, Transaction


class RacePromises(Stores):
    """Many threads at once."""

    def test_of_many_changes_of_one_generation_exactly_one_wins(self, store: Store) -> None:
        row = written(store, sandbox())[0]

        def change(number: int) -> bool:
            try:
                with store.write() as tx:
                    tx.save(msgspec.structs.replace(row, host=f"host-{number}"))
            except errors.StaleRow:
                return False
            return True

        assert sum(together(8, change)) == 1
        with store.read() as tx:
            found = tx.get(Sandbox, row.uuid)
        assert found is not None
        assert found.generation == 1

    def test_settled_changes_of_one_row_are_all_counted(self, store: Store) -> None:
        row = written(store, host("alpha"))[0]

        def count_up(tx: Transaction) -> None:
            found = tx.get(Host, row.uuid)
            assert found is not None
            tx.save(msgspec.structs.replace(found, total_containers=found.total_containers + 1))

        together(8, lambda number: [store.settle(count_up) for _ in range(5)])
        with store.read() as tx:
            found = tx.get(Host, row.uuid)
        assert found is not None
        assert found.total_containers == 40
        assert found.generation == 40

    def test_a_sum_under_a_lock_is_never_raced(self, store: Store) -> None:
        limit = 20

        def take(number: int) -> bool:
            def decide(tx: Transaction) -> bool:
                tx.lock("project:red")
                taken = tx.total(Sandbox, ("cpu",), {"project_id": "red"})[None]["cpu"]
                if taken + 1 > limit:
                    return False
                tx.add(sandbox(cpu=1.0))
                return True

            return store.settle(decide)

        assert sum(together(50, take)) == limit
        with store.read() as tx:
            assert tx.count(Sandbox) == limit

    def test_a_lock_makes_what_was_written_before_it_seen_even_by_who_looked_already(self, store: Store) -> None:
        looked, wrote = threading.Event(), threading.Event()

        def early(tx: Transaction) -> tuple[bool, int]:
            tx.count(Host)
            looked.set()
            # A store with one writer lets the other wait for this transaction's end; then there is nothing that could be missed.
            written_meanwhile = wrote.wait(0.5)
            tx.lock("a name")
            return written_meanwhile, tx.count(Host)

        def late() -> None:
            looked.wait()
            with store.write() as tx:
                tx.lock("a name")
                tx.add(host("alpha"))
            wrote.set()

        with ThreadPoolExecutor(2) as pool:
            counted = pool.submit(store.settle, early)
            pool.submit(late).result()
            written_meanwhile, count = counted.result()
        assert count == 1 or not written_meanwhile

    def test_a_lock_is_waited_for_and_another_name_is_not_the_same_lock(self, store: Store) -> None:
        got = threading.Event()

        def want() -> None:
            with store.write() as tx:
                tx.lock("a name")
                got.set()

        with ThreadPoolExecutor(1) as pool:
            with store.write() as tx:
                tx.lock("another name")
                tx.lock("a name")
                waiting = pool.submit(want)
                assert not got.wait(0.2)
            waiting.result(timeout=30)
        assert got.is_set()

    def test_a_lock_ends_with_its_transaction_however_that_ends(self, store: Store) -> None:
        with pytest.raises(ZeroDivisionError), store.write() as tx:
            tx.lock("a name")
            raise ZeroDivisionError
        with ThreadPoolExecutor(1) as elsewhere:

            def take() -> None:
                with store.write() as tx:
                    tx.lock("a name")
                    tx.lock("a name")

            elsewhere.submit(take).result(timeout=30)

    def test_opposite_orders_of_locks_are_settled(self, store: Store) -> None:
        def both(number: int) -> None:
            order = ("left", "right") if number % 2 else ("right", "left")

            def decide(tx: Transaction) -> None:
                for name in order:
                    tx.lock(name)
                tx.add(sandbox())

            store.settle(decide)

        together(6, both)
        with store.read() as tx:
            assert tx.count(Sandbox) == 6

    def test_fifty_makers_at_once_all_end(self, store: Store) -> None:
        def make(number: int) -> None:
            def decide(tx: Transaction) -> None:
                home = tx.add(sandbox())
                tx.add(container(home, name=f"web-{number}"))

            store.settle(decide)

        together(50, make)
        with store.read() as tx:
            assert len(set(names(tx.find(Container)))) == 50
