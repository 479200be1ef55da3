"""First come, first served."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from zun.db.fair import FairLock


def waiting(lock: FairLock, count: int) -> None:
    """Return when ``count`` threads queue for the lock."""
    while len(lock._waiting) < count:
        threading.Event().wait(0.001)


def test_who_waits_is_served_in_the_order_of_coming() -> None:
    lock, served = FairLock(), list[int]()

    def come(number: int) -> None:
        assert lock.acquire(30)
        served.append(number)
        lock.release()

    lock.acquire(0)
    with ThreadPoolExecutor(20) as pool:
        for number in range(20):
            pool.submit(come, number)
            waiting(lock, number + 1)
        lock.release()
    assert served == list(range(20))


def test_nobody_holds_it_together_with_another() -> None:
    lock, inside = FairLock(), list[int]()

    def enter(number: int) -> None:
        for _ in range(50):
            assert lock.acquire(30)
            inside.append(number)
            assert inside == [number]
            inside.clear()
            lock.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(8)))


def test_who_gives_up_leaves_the_queue_to_the_others() -> None:
    lock = FairLock()
    lock.acquire(0)
    with ThreadPoolExecutor(2) as pool:
        assert pool.submit(lock.acquire, 0.01).result() is False
        patient = pool.submit(lock.acquire, 30)
        waiting(lock, 1)
        lock.release()
        assert patient.result() is True


def test_the_thread_that_holds_it_cannot_wait_for_itself() -> None:
    lock = FairLock()
    lock.acquire(0)
    with pytest.raises(RuntimeError):
        lock.acquire(0)
    lock.release()
    assert lock.acquire(0) is True
