"""How the tests of plugins are run: what is lifted, who pulls what, and what is said of tests that their class does not let begin."""

from __future__ import annotations

import json
import multiprocessing
import threading
import unittest
from pathlib import Path

import pytest

from cloud.inside.tempest_tests import Outcomes, Pulled, lift, shares, turn


def skip(reason: str) -> object:
    """As testtools has it, as far as it matters here."""
    return unittest.skip(reason)


class Case(unittest.TestCase):
    #: pytest leaves them to the runner
    __test__ = False


class Good(Case):
    def test_passes(self) -> None:
        pass

    @lift(skip)("bug 1897497")
    def test_of_a_bug(self) -> None:
        self.fail("it is run")

    @lift(skip)("temporarily disabled")
    def test_of_another_reason(self) -> None:
        self.fail("it is not run")


class Skipped(Case):
    @classmethod
    def setUpClass(cls) -> None:
        raise unittest.SkipTest("another version")

    def test_passes(self) -> None:
        pass


class Broken(Case):
    @classmethod
    def setUpClass(cls) -> None:
        raise RuntimeError("no accounts")

    def test_passes(self) -> None:
        pass


class Untidy(Case):
    @classmethod
    def tearDownClass(cls) -> None:
        raise RuntimeError("a network is left")

    def test_passes(self) -> None:
        pass


@pytest.fixture
def outcomes(tmp_path: Path) -> dict[str, tuple[str, str]]:
    """What is written down of all of them, by one worker: outcome, and the last line of why."""
    known = [
        Good("test_passes"),
        Good("test_of_a_bug"),
        Good("test_of_another_reason"),
        Skipped("test_passes"),
        Broken("test_passes"),
        Untidy("test_passes"),
    ]
    tests = {test.id().rpartition(f"{__name__}.")[2]: test for test in known}
    queue = multiprocessing.get_context("fork").SimpleQueue()
    for share in [*shares(tests), []]:
        queue.put(share)
    written = Outcomes(tmp_path / "results")
    Pulled(tests, queue, written, tmp_path / "turns").run(written)
    lines = [json.loads(line) for line in (tmp_path / "results").read_text().splitlines()]
    return {
        line["test"].rpartition(".test_tempest_tests.")[2]: (line["outcome"], line["why"].strip().rpartition("\n")[2]) for line in lines
    }


def test_skips_by_a_bug_s_number_are_lifted_and_others_are_not(outcomes: dict[str, tuple[str, str]]) -> None:
    assert outcomes["Good.test_passes"] == ("passed", "")
    assert outcomes["Good.test_of_a_bug"] == ("failed", "AssertionError: it is run")
    assert outcomes["Good.test_of_another_reason"] == ("skipped", "temporarily disabled")


def test_what_a_class_does_not_let_begin_has_the_outcome_of_its_class(outcomes: dict[str, tuple[str, str]]) -> None:
    assert outcomes["Skipped.test_passes"] == ("skipped", "another version")
    assert outcomes["Broken.test_passes"] == ("failed", "RuntimeError: no accounts")


def test_a_class_that_cannot_be_cleaned_up_after_is_told(outcomes: dict[str, tuple[str, str]]) -> None:
    assert outcomes["Untidy.test_passes"] == ("passed", "")
    assert ("failed", "RuntimeError: a network is left") in outcomes.values()


def test_who_would_take_an_image_from_another_waits_for_him(tmp_path: Path) -> None:
    name, turns, order = "TestContainer.test_run_container_with_image_driver_glance[id-1]", tmp_path / "turns", []

    def another() -> None:
        with turn(name, turns):
            order.append("second")

    with turn(name, turns):
        other = threading.Thread(target=another)
        other.start()
        with turn("TestContainer.test_list_containers[id-2]", turns):
            order.append("anybody")
        other.join(0.2)
        order.append("first")
    other.join()
    assert order == ["anybody", "first", "second"]


def test_many_tests_are_pulled_a_few_at_a_time_and_a_small_class_as_a_whole() -> None:
    names = [*(f"Small.test_{number}" for number in range(4)), *(f"Large.test_{number:02}" for number in range(9))]
    pulled = shares(names)
    assert pulled[0] == ["Large.test_00", "Large.test_01"]
    assert pulled[-1] == [f"Small.test_{number}" for number in range(4)]
    assert sorted(name for share in pulled for name in share) == sorted(names)
