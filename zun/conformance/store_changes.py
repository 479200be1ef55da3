"""Compare and swap; all or nothing."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from zun import errors
from zun.conformance.store_fixtures import Stores, container, host, sandbox, written
from zun.domain.host import Host
from zun.domain.sandbox import Sandbox
from zun.interfaces.store import Store, Transaction


class ChangePromises(Stores):
    """Compare and swap; all or nothing."""

    def test_a_change_counts_the_generation_and_keeps_the_time_of_making(self, store: Store) -> None:
        old = written(store, sandbox())[0]
        with store.write() as tx:
            new = tx.save(msgspec.structs.replace(old, host="beta", created_at=None))
        with store.read() as tx:
            found = tx.get(Sandbox, old.uuid)
        assert found is not None
        assert (found.host, found.generation, found.id) == ("beta", old.generation + 1, old.id)
        assert found.created_at == old.created_at
        assert found.updated_at == new.updated_at
        assert new.generation == found.generation

    def test_a_change_of_an_old_generation_is_stale(self, store: Store) -> None:
        old = written(store, sandbox())[0]
        with store.write() as tx:
            tx.save(msgspec.structs.replace(old, host="first"))
        with pytest.raises(errors.StaleRow) as lost, store.write() as tx:
            tx.save(msgspec.structs.replace(old, host="second"))
        assert lost.value.details == {"entity": "Sandbox", "id": old.uuid}
        with store.read() as tx:
            assert [row.host for row in tx.find(Sandbox)] == ["first"]

    def test_dropping_an_old_generation_is_stale(self, store: Store) -> None:
        old = written(store, sandbox())[0]
        with store.write() as tx:
            new = tx.save(old)
        with pytest.raises(errors.StaleRow), store.write() as tx:
            tx.drop(old)
        with store.write() as tx:
            tx.drop(new)
        with store.read() as tx:
            assert tx.get(Sandbox, old.uuid) is None

    def test_what_is_gone_is_stale_to_change_and_to_drop(self, store: Store) -> None:
        row = written(store, sandbox())[0]
        with store.write() as tx:
            tx.drop(row)
        with pytest.raises(errors.StaleRow), store.write() as tx:
            tx.save(row)
        with pytest.raises(errors.StaleRow), store.write() as tx:
            tx.drop(row)

    def test_an_exception_takes_everything_back(self, store: Store) -> None:
        kept = written(store, sandbox())[0]
        with pytest.raises(ZeroDivisionError), store.write() as tx:
            tx.add(sandbox())
            tx.save(msgspec.structs.replace(kept, host="beta"))
            raise ZeroDivisionError
        with store.read() as tx:
            assert tx.find(Sandbox) == [kept]

    def test_a_refused_row_takes_everything_back_even_if_the_error_is_swallowed(self, store: Store) -> None:
        first = written(store, sandbox())[0]
        with pytest.raises(errors.Duplicate), store.write() as tx:
            tx.add(sandbox())
            with contextlib.suppress(errors.Duplicate):
                tx.add(sandbox(uuid=first.uuid))
        with store.read() as tx:
            assert tx.find(Sandbox) == [first]

    def test_a_transaction_sees_its_own_changes_and_others_do_not_before_its_end(self, store: Store) -> None:
        with store.write() as tx:
            added = tx.add(sandbox())
            assert tx.get(Sandbox, added.uuid) == added
            with store.read() as other:
                assert other.get(Sandbox, added.uuid) is None
        with store.read() as tx:
            assert tx.get(Sandbox, added.uuid) == added

    def test_a_look_does_not_change_while_it_lasts(self, store: Store) -> None:
        written(store, sandbox())
        with store.read() as tx:
            assert tx.count(Sandbox) == 1
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(written, store, sandbox()).result()
            assert tx.count(Sandbox) == 1
        with store.read() as tx:
            assert tx.count(Sandbox) == 2

    def test_a_look_cannot_write(self, store: Store) -> None:
        row = written(store, sandbox())[0]
        with store.read() as tx:
            with pytest.raises(RuntimeError):
                tx.add(sandbox())
            with pytest.raises(RuntimeError):
                tx.save(row)
            with pytest.raises(RuntimeError):
                tx.drop(row)
            with pytest.raises(RuntimeError):
                tx.lock("a name")
        with store.read() as tx:
            assert tx.find(Sandbox) == [row]

    def test_a_container_needs_its_sandbox(self, store: Store) -> None:
        with pytest.raises(errors.StaleRow), store.write() as tx:
            tx.add(container(sandbox()))

    def test_a_sandbox_cannot_leave_its_containers_behind(self, store: Store, home: Sandbox) -> None:
        inside = written(store, container(home))[0]
        with pytest.raises(errors.StaleRow), store.write() as tx:
            tx.drop(home)
        with store.write() as tx:
            tx.drop(inside)
            tx.drop(home)

    def test_settle_answers_what_was_decided_and_decides_again_after_a_lost_race(self, store: Store) -> None:
        row = written(store, sandbox())[0]
        seen: list[int] = []

        def decide(tx: Transaction) -> str:
            found = tx.get(Sandbox, row.uuid)
            assert found is not None
            seen.append(found.generation)
            tx.add(host(f"try-{len(seen)}"))
            tx.save(row if len(seen) == 1 and found.generation else found)
            return "decided"

        with store.write() as tx:
            tx.save(row)
        assert store.settle(decide) == "decided"
        assert len(seen) == 2
        with store.read() as tx:
            assert [each.hostname for each in tx.find(Host)] == ["try-2"]

    def test_settle_lets_every_other_error_pass_at_once(self, store: Store) -> None:
        tries: list[int] = []

        def decide(tx: Transaction) -> None:
            tries.append(1)
            tx.add(sandbox())
            raise errors.OverQuota(resource="cpu", requested=1, in_use=1, limit=1)

        with pytest.raises(errors.OverQuota):
            store.settle(decide)
        assert len(tries) == 1
        with store.read() as tx:
            assert tx.count(Sandbox) == 0

    def test_what_comes_afterwards_comes_once_all_is_written(self, store: Store) -> None:
        seen: list[int] = []

        def look() -> None:
            with store.read() as tx:
                seen.append(tx.count(Sandbox))

        with store.write() as tx:
            tx.after(look)
            tx.add(sandbox())
            assert seen == []
        assert seen == [1]

    def test_nothing_comes_after_what_was_not_written(self, store: Store) -> None:
        tries: list[str] = []
        seen: list[str] = []

        def decide(tx: Transaction) -> None:
            tries.append("again")
            tx.after(lambda: seen.append(f"after try {len(tries)}"))
            if len(tries) == 1:
                raise errors.StaleRow(entity="Sandbox", id="-")
            if len(tries) == 3:
                raise ValueError

        store.settle(decide)
        with pytest.raises(ValueError):
            store.settle(decide)
        assert seen == ["after try 2"]

    def test_a_look_shows_at_each_question_what_is_committed(self, store: Store) -> None:
        kept = written(store, sandbox(host="alpha"))[0]
        with store.look() as tx:
            assert tx.get(Sandbox, kept.uuid) == kept
            assert tx.count(Sandbox) == 1
            more = written(store, sandbox(host="alpha"))[0]
            assert tx.find(Sandbox, {"host": "alpha"}) == [kept, more]
            with store.write() as other:
                other.drop(kept)
            assert tx.get(Sandbox, kept.uuid) is None

    def test_a_look_changes_nothing(self, store: Store) -> None:
        with pytest.raises(RuntimeError), store.look() as tx:
            tx.add(sandbox())
        with store.look() as tx:
            assert tx.count(Sandbox) == 0
