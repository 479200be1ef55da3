from __future__ import annotations

import pytest

from bench.report import Row, Section, markdown, missed, p95, plain


def test_a_time_is_shown_as_so_many_times_that_of_the_peer() -> None:
    assert Row("create", 3.0, "s", 2.0, target=2.5).cells() == ("create", "3.00 s", "2.00 s", "x 1.50", "<= 2.5 s", "NO")


def test_a_rate_is_shown_as_so_many_times_fewer_than_the_peers() -> None:
    assert Row("show", 50.0, "/s", 100.0, rate=True).cells()[3] == "x 2.00"


@pytest.mark.parametrize(
    ("zun", "peer", "rate", "shown", "reached"),
    [
        (160.0, 20.0, True, "8.00 times better", "yes"),
        (159.0, 20.0, True, "7.95 times better", "NO"),
        (2.0, 24.0, False, "12.0 times better", "yes"),
    ],
)
def test_what_is_to_be_better_is_judged_by_how_many_times(zun: float, peer: float, rate: bool, shown: str, reached: str) -> None:
    row = Row("show", zun, "/s", peer, rate=rate, times=8)
    assert (row.cells()[3], row.cells()[4], row.cells()[5]) == (shown, ">= 8 times", reached)


def test_how_many_times_may_be_shown_without_a_target() -> None:
    row = Row("list", 5.0, "ms", 100.0, times=0)
    assert row.cells()[3:] == ("20.0 times better", "", "")
    assert row.reached is None


def test_only_what_has_a_target_can_miss_it() -> None:
    rows = [
        Row("a", 2.0, "s", target=1.0),
        Row("b", 2.0, "s"),
        Row("c", 1.0, "/s", 1.0, rate=True, times=20),
        Row("d", 1.0, "s", target=1.0),
    ]
    section = Section("title", "somebody", rows)
    assert [row.what for row in missed([section])] == ["a", "c"]
    assert "| d | 1.00 s |  |  | <= 1 s | yes |" in markdown([section])
    assert "(peer: somebody)" in plain([section])


def test_p95_is_the_value_that_95_of_100_do_not_exceed() -> None:
    assert p95([float(value) for value in range(1, 101)]) == 95.0
    assert p95([7.0]) == 7.0
