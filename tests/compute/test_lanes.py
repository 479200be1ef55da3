"""One lane a sandbox: order within, freedom between."""

import threading

import pytest

from zun.compute.lanes import Lanes


@pytest.fixture
def lanes():
    made = Lanes(workers=4)
    yield made
    made.close()


def test_one_lane_keeps_its_order(lanes):
    done, ended = [], threading.Event()
    for number in range(100):
        lanes.put("a", lambda number=number: done.append(number))
    lanes.put("a", ended.set)
    assert ended.wait(5)
    assert done == list(range(100))


def test_a_slow_sandbox_does_not_keep_another_waiting(lanes):
    release, other = threading.Event(), threading.Event()
    lanes.put("slow", lambda: release.wait(5))
    lanes.put("other", other.set)
    assert other.wait(5)
    release.set()


def test_two_tasks_of_a_lane_never_run_at_once(lanes):
    inside, overlaps, ended = threading.Lock(), [], threading.Event()

    def task():
        if not inside.acquire(blocking=False):
            overlaps.append(True)
            return
        inside.release()

    for _ in range(200):
        lanes.put("a", task)
    lanes.put("a", ended.set)
    assert ended.wait(5)
    assert not overlaps


def test_a_wide_lane_runs_so_many_tasks_at_once_and_no_more():
    lanes = Lanes(workers=8, width=3)
    release, ended, inside, most, lock = threading.Event(), threading.Event(), [], [], threading.Lock()
    three = threading.Barrier(4)

    def task():
        with lock:
            inside.append(1)
            most.append(len(inside))
        if len(most) <= 3:
            three.wait(5)
            release.wait(5)
        with lock:
            inside.pop()
            if len(most) == 20 and not inside:
                ended.set()

    for _ in range(20):
        lanes.put("a", task)
    three.wait(5)
    other = threading.Event()
    lanes.put("b", other.set)
    assert other.wait(5), "another lane is free"
    release.set()
    assert ended.wait(5)
    assert max(most) == 3
    lanes.close()


def test_a_task_that_fails_does_not_stop_its_lane(lanes):
    ended = threading.Event()
    lanes.put("a", lambda: 1 / 0)
    lanes.put("a", ended.set)
    assert ended.wait(5)


def test_a_later_task_comes_after_one_that_may_run_now(lanes):
    done, ended = [], threading.Event()
    lanes.put("a", lambda: (done.append("later"), ended.set()), after=0.05)
    lanes.put("a", lambda: done.append("now"))
    assert ended.wait(5)
    assert done == ["now", "later"]


def test_nothing_begins_after_the_close():
    lanes, ran = Lanes(workers=1), threading.Event()
    lanes.put("a", ran.set, after=0.05)
    lanes.close()
    lanes.put("a", ran.set)
    lanes.put("a", ran.set, after=0.01)
    assert not ran.wait(0.2)


def test_what_never_ends_does_not_keep_the_close_waiting():
    lanes, begun, release, ran = Lanes(workers=1), threading.Event(), threading.Event(), []
    lanes.put("a", lambda: (begun.set(), release.wait()))
    assert begun.wait(5)
    lanes.put("a", lambda: ran.append("behind it"))
    lanes.put("b", lambda: ran.append("beside it"))
    lanes.close(patience=0.01)
    release.set()
    lanes.close()
    assert ran == []
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("lane")]
