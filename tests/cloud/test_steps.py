"""Work that depends on other work."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from cloud.steps import Step, run, wanted
from tools.progress import Progress, Trouble


class _Quiet(Progress):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text.partition(" (")[0])


def _noting(done: list[str], name: str, worked: bool = True) -> Callable[[], bool]:
    def work() -> bool:
        done.append(name)
        return worked

    return work


def test_nothing_begins_before_what_it_needs() -> None:
    done: list[str] = []
    steps = [
        Step("roof", _noting(done, "roof"), ["walls"]),
        Step("walls", _noting(done, "walls"), ["ground"]),
        Step("ground", _noting(done, "ground")),
    ]
    run(steps, _Quiet())
    assert done == ["ground", "walls", "roof"]


def test_what_needs_nothing_of_each_other_is_done_at_once() -> None:
    meeting = threading.Barrier(3, timeout=30)

    def meet() -> bool:
        meeting.wait()
        return True

    assert set(run([Step(name, meet) for name in "abc"], _Quiet())) == set("abc")


def test_a_step_that_had_nothing_to_do_is_not_told_of() -> None:
    progress = _Quiet()
    took = run([Step("old", _noting([], "old", worked=False)), Step("new", _noting([], "new"), ["old"])], progress)
    assert (set(took), progress.said) == ({"new"}, ["new"])


def test_after_a_failure_nothing_begins_and_the_failure_is_told() -> None:
    done: list[str] = []

    def fail() -> bool:
        raise Trouble("no ground here")

    with pytest.raises(Trouble, match="no ground here"):
        run([Step("ground", fail), Step("walls", _noting(done, "walls"), ["ground"])], _Quiet())
    assert done == []


@pytest.mark.parametrize("steps", [[Step("a", lambda: True, ["b"])], [Step("a", lambda: True, ["b"]), Step("b", lambda: True, ["a"])]])
def test_an_order_that_cannot_be_kept_is_refused(steps: list[Step]) -> None:
    with pytest.raises(ValueError, match=r"need|wait"):
        run(steps, _Quiet())


def _house() -> list[Step]:
    return [
        Step("roof", bool, ["walls"]),
        Step("walls", bool, ["ground"]),
        Step("garden", bool, ["ground"]),
        Step("ground", bool),
    ]


def test_a_part_is_the_named_steps_and_all_that_they_need() -> None:
    assert [step.name for step in wanted(_house(), ["walls"])] == ["walls", "ground"]


def test_no_name_means_all() -> None:
    assert wanted(_house(), []) == _house()


def test_a_name_that_no_step_has_is_said_with_those_that_there_are() -> None:
    with pytest.raises(Trouble, match="'cellar'; there are: garden, ground, roof, walls"):
        wanted(_house(), ["cellar"])
