from __future__ import annotations

import pytest

from bench.cloud import ab

REPORT = """
Document Path:          /v1/containers
Document Length:        1243 bytes

Concurrency Level:      32
Time taken for tests:   2.000 seconds
Complete requests:      4000
Failed requests:        0
Total transferred:      6172000 bytes
"""
REFUSED = "   (Connect: 0, Receive: 0, Length: 30, Exceptions: 0)\nNon-2xx responses:      10\n"
SHARES = "Percentage served,Time in ms\n0,0.673\n49,1.202\n50,1.250\n51,1.309\n99,17.5\n"


def test_the_rate_is_of_good_answers_alone() -> None:
    answers = ab.read(REPORT.replace("requests:        0", "requests:        30") + REFUSED, SHARES, 1243)
    assert (answers.good, answers.bad, answers.rate) == (3960, 40, 1980.0)


def test_the_median_is_that_of_the_turns() -> None:
    answers = ab.read(REPORT, SHARES, 1243)
    answers.add(ab.read(REPORT, SHARES.replace("1.250", "1.450"), 1243))
    assert answers.median == pytest.approx(0.00135)
    assert answers.rate == 2000.0


def test_answers_that_are_not_as_long_as_the_one_that_was_read_are_none() -> None:
    with pytest.raises(RuntimeError, match="1243 bytes, not of 1041288"):
        ab.read(REPORT, SHARES, 1041288)


def test_what_it_does_not_tell_is_not_taken_for_nothing() -> None:
    with pytest.raises(RuntimeError, match="Failed requests"):
        ab.read(REPORT.replace("Failed requests", "Failures"), SHARES, 1243)
