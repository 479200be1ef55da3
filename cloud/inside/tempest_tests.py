"""Runs tests of tempest plugins, side by side: ``tempest_tests.py RESULTS WORKERS PATTERN...``, with ``TEMPEST_CONFIG_DIR`` and so on set.

Each outcome is a line of JSON in RESULTS. No file of a plugin is changed: that a test is skipped for a fault of another implementation, by
its bug number, is undone by giving the plugin another ``testtools.skip`` before it is imported. Every other skip stays.
"""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import re
import sys
import time
import traceback
import unittest
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

#: the name of zun-tempest-plugin's entry point
_PLUGIN = "zun_tests"
_BUG = re.compile(r"bug \d+")
_SMALL, _SHARE = 8, 2
#: It pulls an image into the engine by itself and removes it there: two at once take it from each other.
_ONE_AT_A_TIME = re.compile(r"\.test_run_container_with_image_driver_glance\b")


def lift(skip: Callable[[str], Any]) -> Callable[[str], Any]:
    """A ``testtools.skip`` that does not skip for bugs by their number."""

    def lifted(reason: str) -> Any:
        return (lambda test: test) if _BUG.fullmatch(reason) else skip(reason)

    return lifted


class Outcomes(unittest.TestResult):
    """Writes each outcome down."""

    def __init__(self, results: Path) -> None:
        super().__init__()
        self._results = results
        self._begun = time.monotonic()
        #: of the test that is being run; of classes, by their names
        self._said: list[dict[str, Any]] = []
        self._of_classes: dict[str, dict[str, Any]] = {}

    def startTest(self, test: Any) -> None:
        """See unittest."""
        super().startTest(test)
        self._begun = time.monotonic()

    def addSuccess(self, test: Any) -> None:
        """See unittest."""
        self._say(test, "passed", "")

    def addFailure(self, test: Any, err: Any) -> None:
        """See unittest."""
        self._say(test, "failed", "".join(traceback.format_exception(*err)))

    def addError(self, test: Any, err: Any) -> None:
        """See unittest."""
        self._say(test, "failed", "".join(traceback.format_exception(*err)))

    def addSkip(self, test: Any, reason: str) -> None:
        """See unittest."""
        self._say(test, "skipped", reason)

    def _say(self, test: Any, outcome: str, why: str) -> None:
        said = {"outcome": outcome, "why": why, "seconds": round(time.monotonic() - self._begun, 1)}
        if isinstance(test, unittest.TestCase):
            self._said.append(said)
        else:
            # Something of a class, before its first test or after its last: "setUpClass (module.Class)".
            self._of_classes[str(test.id()).partition("(")[2].rstrip(")")] = said
            if outcome == "failed":
                self._write({"test": str(test.id()), **said})

    def settle(self, test: unittest.TestCase) -> None:
        """After a test: what was said of it; of one that was not begun, what was said of its class."""
        unsaid = {"outcome": "failed", "why": "nothing was said of it", "seconds": 0}
        said = self._said or [self._of_classes.get(test.id().rpartition(".")[0], unsaid)]
        self._write({"test": test.id(), **max(said, key=lambda each: ("passed", "skipped", "failed").index(each["outcome"]))})
        self._said = []

    def _write(self, line: dict[str, Any]) -> None:
        # One write of less than a pipe's buffer, to a file that is only appended to: workers do not mix their lines.
        with self._results.open("a") as file:
            file.write(json.dumps(line | {"why": line["why"][-3000:]}) + "\n")


@contextmanager
def turn(name: str, file: Path) -> Iterator[None]:
    """In it, a test that must not be run twice at once is not, by whoever has the same file."""
    if not _ONE_AT_A_TIME.search(name):
        yield
        return
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


class Pulled(unittest.TestSuite):
    """The tests that this worker gets from the queue of all, some at a time; their classes are set up and torn down as ever."""

    def __init__(self, tests: dict[str, unittest.TestCase], queue: SimpleQueue[list[str]], outcomes: Outcomes, turns: Path) -> None:
        super().__init__()
        self._all, self._queue, self._outcomes, self._turns = tests, queue, outcomes, turns
        self._tests: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        """Tests until there are no more."""
        while names := self._queue.get():
            for name in names:
                self._tests.append(None)
                with turn(name, self._turns):
                    yield self._all[name]
                self._outcomes.settle(self._all[name])


def flat(tests: Iterable[Any]) -> Iterator[unittest.TestCase]:
    """The tests of suites of suites."""
    for each in tests:
        if isinstance(each, unittest.TestCase):
            yield each
        else:
            yield from flat(each)


def found(patterns: Sequence[str]) -> dict[str, unittest.TestCase]:
    """The plugin's tests whose names have all the patterns in them."""
    from tempest.test_discover import plugins

    folder, top = plugins.TempestTestPluginManager().get_plugin_load_tests_tuple()[_PLUGIN]
    tests = {test.id(): test for test in flat(unittest.TestLoader().discover(folder, top_level_dir=top))}
    return {name: tests[name] for name in sorted(tests) if all(re.search(pattern, name) for pattern in patterns)}


def shares(tests: Iterable[str]) -> list[list[str]]:
    """What is pulled at once: few tests of a class that has many, the class with most of them first; a small class as a whole, so that it
    is set up by one worker only."""
    classes: dict[str, list[str]] = {}
    for name in tests:
        classes.setdefault(name.rpartition(".")[0], []).append(name)
    found: list[list[str]] = []
    for names in sorted(classes.values(), key=len, reverse=True):
        size = _SHARE if len(names) > _SMALL else len(names)
        found += [names[first : first + size] for first in range(0, len(names), size)]
    return found


def _work(tests: dict[str, unittest.TestCase], queue: SimpleQueue[list[str]], results: Path) -> None:
    outcomes = Outcomes(results)
    # Beside the results of all settings.
    Pulled(tests, queue, outcomes, results.parent.parent / "turns").run(outcomes)


def main(arguments: Sequence[str]) -> None:
    """Run them."""
    import testtools

    results, workers, patterns = Path(arguments[0]), int(arguments[1]), arguments[2:]
    testtools.skip = lift(testtools.skip)
    tests = found(patterns)
    # What has been imported is there in every worker; nothing has been connected yet.
    context = multiprocessing.get_context("fork")
    queue: SimpleQueue[list[str]] = context.SimpleQueue()
    at_work = [context.Process(target=_work, args=(tests, queue, results)) for _ in range(workers)]
    for worker in at_work:
        worker.start()
    for share in [*shares(tests), *([] for _ in at_work)]:
        queue.put(share)
    for worker in at_work:
        worker.join()
    if any(worker.exitcode for worker in at_work):
        sys.exit("a worker has ended before its time")


if __name__ == "__main__":
    main(sys.argv[1:])
