"""What the outcomes of the runs come to: a test must pass in one of them at least, fail in none, and be skipped for a known reason only."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SKIPS = Path(__file__).parent / "skips.toml"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a test ended in a run: ``passed``, ``skipped`` or ``failed``, and why. ``test`` is class and method."""

    run: str
    test: str
    outcome: str
    why: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Skip:
    """A reason that is out of our hands for which ``tests`` (a regular expression) may be skipped when the plugin says ``says``; where
    ``elsewhere`` is set, only those that pass in another run."""

    tests: str
    says: str
    reason: str
    elsewhere: bool = False

    def covers(self, outcome: Outcome) -> bool:
        """Whether it is this one."""
        return bool(re.fullmatch(self.tests, outcome.test)) and bool(re.search(self.says, outcome.why))


@dataclass(frozen=True, slots=True)
class Verdict:
    """``failures`` are to be mended, in words; ``skipped`` are those that pass in no run, with their reasons."""

    failures: Sequence[str]
    skipped: Mapping[str, str]
    passed: int
    total: int


def allowed(file: Path = SKIPS) -> list[Skip]:
    """The written reasons."""
    return [Skip(**each) for each in tomllib.loads(file.read_text())["skip"]]


def judge(outcomes: Sequence[Outcome], skips: Sequence[Skip], *, whole: bool = True) -> Verdict:
    """See the module. Where some of the tests were run only, reasons may be left over."""
    failures: list[str] = []
    passed = {outcome.test for outcome in outcomes if outcome.outcome == "passed"}
    skipped: dict[str, list[Outcome]] = {}
    used: set[Skip] = set()
    for outcome in outcomes:
        if outcome.outcome == "skipped":
            skipped.setdefault(outcome.test, []).append(outcome)
        elif outcome.outcome != "passed":
            failures.append(f"{outcome.test} ({outcome.run}): {outcome.why.strip()}")
    reasons: dict[str, str] = {}
    for test, each in sorted(skipped.items()):
        fitting = [skip for skip in skips if test in passed or not skip.elsewhere]
        covering = [next((skip for skip in fitting if skip.covers(outcome)), None) for outcome in each]
        for outcome, skip in zip(each, covering, strict=True):
            if skip is None:
                failures.append(f"{test} ({outcome.run}) is skipped, and no reason is written down: {outcome.why}")
            else:
                used.add(skip)
        if test not in passed and all(skip is not None for skip in covering):
            reasons[test] = "; ".join(dict.fromkeys(skip.reason for skip in covering if skip is not None))
    if whole:
        failures += [f"nothing is skipped any more for this reason, so it goes: {skip.reason}" for skip in skips if skip not in used]
    return Verdict(failures, reasons, len(passed), len({outcome.test for outcome in outcomes}))
