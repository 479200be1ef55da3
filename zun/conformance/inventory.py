"""What an inventory must do: subclass :class:`InventorySuite` and provide its fixtures."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from zun import errors
from zun.conformance.store_fixtures import container, host, sandbox, service, together, written
from zun.domain.action import Action
from zun.domain.claim import claim_of, taken_by
from zun.domain.container import Container
from zun.domain.host import Service
from zun.domain.resources import Resources
from zun.domain.sandbox import Sandbox
from zun.domain.scheduling import Candidate
from zun.interfaces.inventory import Inventory
from zun.interfaces.store import Store, Transaction

#: no amount may be given out twice
PLAIN: dict[str, Any] = {"cpus": 4, "mem_total": 1024, "disk_total": 10, "cpu_allocation_ratio": 1.0, "ram_allocation_ratio": 1.0}


class Books:
    """An inventory with the rows that it goes by, used as the service uses it."""

    def __init__(self, inventory: Inventory, store: Store, settle: Callable[[], None] = lambda: None) -> None:
        """``settle`` has that done which :meth:`Inventory.follow` has asked for."""
        self.inventory, self.store, self.settle = inventory, store, settle

    def host(self, **given: Any) -> str:
        """A host that has reported, and been heard of, and takes work."""
        name = f"host-{uuid.uuid4()}"
        written(self.store, host(name, **{**PLAIN, **given}))
        written(self.store, service(name))
        self.settle()
        return name

    def wish(self, cpu: float = 1.0, memory: int = 256, **given: Any) -> tuple[Sandbox, Container]:
        """A container that waits for a host, as accepted."""
        home = written(self.store, sandbox(cpu=cpu, memory=memory, **given))[0]
        lives = written(self.store, container(home))[0]
        with self.store.write() as tx:
            tx.add(
                Action(
                    uuid=str(uuid.uuid4()),
                    action="create",
                    sandbox_uuid=home.uuid,
                    container_uuid=lives.uuid,
                    request_id="req-1",
                    project_id="red",
                    user_id="ann",
                )
            )
        return home, lives

    def candidate(self, name: str, of: tuple[Sandbox, Container]) -> Candidate:
        """A host, as it looks for a wish."""
        return next(each for each in self.inventory.candidates(of[0], of[1].uuid) if each.host.hostname == name)

    def take(self, of: tuple[Sandbox, Container], name: str) -> None:
        """Place a wish on a host. Raises InsufficientCapacity."""
        home, lives = of
        self.inventory.claim(claim_of(home, lives.uuid, name))
        try:
            self.store.settle(lambda tx: self._write(tx, home, name))
        except errors.ZunError:
            self.inventory.follow(lives.uuid)
            raise

    def resize(self, of: tuple[Sandbox, Container], to: Resources) -> None:
        """Have a placed wish take so much. Raises InsufficientCapacity."""
        home = self.row(of)
        assert home.host is not None
        self.inventory.claim(claim_of(home, of[1].uuid, home.host, taken_by(home).most(to)))

        def write(tx: Transaction) -> None:
            current = tx.get(Sandbox, home.uuid)
            assert current is not None
            assert current.host is not None
            self.inventory.check(tx, current, current.host, to)
            tx.save(replace(current, cpu=to.cpu, memory=to.memory))

        try:
            self.store.settle(write)
        finally:
            self.inventory.follow(of[1].uuid)

    def remove(self, of: tuple[Sandbox, Container]) -> None:
        """Forget a wish."""
        with self.store.write() as tx:
            for row in (*tx.find(Action, {"sandbox_uuid": of[0].uuid}), *tx.find(Container, {"uuid": of[1].uuid})):
                tx.drop(row)
            for home in tx.find(Sandbox, {"uuid": of[0].uuid}):
                tx.drop(home)
        self.inventory.follow(of[1].uuid)
        self.settle()

    def row(self, of: tuple[Sandbox, Container]) -> Sandbox:
        """The sandbox as it is now."""
        with self.store.read() as tx:
            found = tx.get(Sandbox, of[0].uuid)
        assert found is not None
        return found

    def _write(self, tx: Transaction, home: Sandbox, name: str) -> None:
        current = tx.get(Sandbox, home.uuid)
        assert current is not None
        self.inventory.check(tx, current, name, taken_by(current))
        tx.save(replace(current, host=name))
        for action in tx.find(Action, {"sandbox_uuid": home.uuid}):
            tx.save(replace(action, host=name))


class InventorySuite:
    """Fixture: ``books``. Other hosts than the suite's own may be there."""

    def test_a_host_that_has_room_is_offered_with_what_it_has(self, books: Books) -> None:
        name = books.host()
        found = books.candidate(name, books.wish(cpu=4, memory=1024, disk=10))
        assert found.offered
        assert found.free == Resources(cpu=4, memory=1024, disk=10)

    def test_what_is_taken_is_not_free(self, books: Books) -> None:
        name = books.host()
        books.take(books.wish(cpu=3, memory=1000, disk=4), name)
        assert books.candidate(name, books.wish()).free == Resources(cpu=1, memory=24, disk=6)

    def test_a_full_host_takes_nothing_more_and_is_left_as_it_was(self, books: Books) -> None:
        name = books.host()
        books.take(books.wish(memory=1000), name)
        late = books.wish(memory=100)
        with pytest.raises(errors.InsufficientCapacity):
            books.take(late, name)
        books.settle()
        assert books.row(late).host is None
        books.take(books.wish(memory=24), name)

    def test_of_many_who_want_the_last_place_one_gets_it(self, books: Books) -> None:
        name = books.host()
        wishes = [books.wish(memory=600) for _ in range(4)]

        def take(number: int) -> bool:
            try:
                books.take(wishes[number], name)
            except errors.InsufficientCapacity:
                return False
            return True

        assert sum(together(4, take)) == 1

    def test_what_was_claimed_and_never_written_is_no_hindrance(self, books: Books) -> None:
        name = books.host()
        lost = books.wish(memory=1000)
        books.inventory.claim(claim_of(lost[0], lost[1].uuid, name))
        assert books.candidate(name, lost).offered
        books.take(lost, name)
        assert books.row(lost).host == name

    def test_what_was_claimed_on_a_host_can_be_had_on_another(self, books: Books) -> None:
        first, second = books.host(), books.host()
        moving = books.wish(memory=1000)
        books.inventory.claim(claim_of(moving[0], moving[1].uuid, first))
        books.take(moving, second)
        books.take(books.wish(memory=1000), first)

    def test_what_is_gone_leaves_its_room(self, books: Books) -> None:
        name = books.host()
        gone = books.wish(memory=1000)
        books.take(gone, name)
        books.remove(gone)
        books.take(books.wish(memory=1000), name)

    def test_what_was_claimed_for_what_is_gone_leaves_its_room(self, books: Books) -> None:
        name = books.host()
        gone = books.wish(memory=1000)
        books.inventory.claim(claim_of(gone[0], gone[1].uuid, name))
        books.remove(gone)
        books.take(books.wish(memory=1000), name)

    def test_only_what_is_more_than_before_must_fit(self, books: Books) -> None:
        name = books.host()
        placed = books.wish(memory=600)
        books.take(placed, name)
        books.resize(placed, Resources(cpu=1, memory=1000))
        assert books.candidate(name, books.wish()).free.memory == 24

    def test_what_does_not_fit_changes_nothing(self, books: Books) -> None:
        name = books.host()
        placed = books.wish(memory=600)
        books.take(placed, name)
        with pytest.raises(errors.InsufficientCapacity):
            books.resize(placed, Resources(cpu=1, memory=2000))
        books.settle()
        assert books.candidate(name, books.wish()).free.memory == 424

    def test_what_is_less_than_before_is_free_for_others(self, books: Books) -> None:
        name = books.host()
        placed = books.wish(memory=1000)
        books.take(placed, name)
        books.resize(placed, Resources(cpu=1, memory=200))
        books.settle()
        books.take(books.wish(memory=800), name)

    def test_cores_of_ones_own_are_no_shared_ones(self, books: Books) -> None:
        name = books.host(cpu_dedicated_set=[2, 3], cpu_shared_set=[0, 1])
        books.take(books.wish(cpu=0.0, pcpu=2), name)
        books.take(books.wish(cpu=2.0), name)
        with pytest.raises(errors.InsufficientCapacity):
            books.take(books.wish(cpu=0.0, pcpu=1), name)

    def test_who_needs_little_of_a_core_leaves_the_rest_of_the_host(self, books: Books) -> None:
        name = books.host(cpu_allocation_ratio=16.0)
        for _ in range(5):
            books.take(books.wish(cpu=0.25, memory=10), name)
        assert books.candidate(name, books.wish(cpu=1)).offered

    def test_more_than_any_host_has_is_not_offered(self, books: Books) -> None:
        name = books.host()
        wish = books.wish(memory=5000)
        found = books.candidate(name, wish)
        assert not found.offered or found.free.memory < 5000
        with pytest.raises(errors.InsufficientCapacity):
            books.take(wish, name)

    def test_a_host_that_is_disabled_says_so(self, books: Books) -> None:
        name = books.host()
        with books.store.write() as tx:
            for row in tx.find(Service, {"host": name}):
                tx.save(replace(row, disabled=True))
        assert books.candidate(name, books.wish()).disabled

    def test_a_host_that_nobody_has_heard_of_has_no_room(self, books: Books) -> None:
        with pytest.raises(errors.HostNotFound):
            books.take(books.wish(), "nowhere")
