"""Sets of cores: read as Nova reads them, written as kernels do, chosen near each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zun.domain.cpuset import choose, is_whole, parse, text


@pytest.mark.parametrize(
    ("written", "cores"),
    [
        ("4-12,^8,15", [4, 5, 6, 7, 9, 10, 11, 12, 15]),
        ("^8,4-12", [4, 5, 6, 7, 9, 10, 11, 12]),
        (" 1 , 3 - 4 ,, ", [1, 3, 4]),
        ("0-7,^2-5", [0, 1, 6, 7]),
        ("1", [1]),
        ("2-2", [2]),
        ("1,1,0-1", [0, 1]),
        ("^1", []),
        ("", []),
        ("0-1\n", [0, 1]),
    ],
)
def test_the_grammar_of_nova(written, cores):
    assert parse(written) == cores


@pytest.mark.parametrize("wrong", ["a", "1-", "-1", "3-1", "1-2-3", "1;2", "^", "^^1", "0x1", "1.5", "0-99999999999", "8192", "٣", "1 2"])
def test_what_is_no_set_of_cores_is_named(wrong):
    with pytest.raises(ValueError, match="is no"):
        parse(wrong)


@given(st.sets(st.integers(0, 200)))
def test_what_is_written_is_read_again(cores):
    assert parse(text(cores)) == sorted(cores)


def test_runs_are_written_short():
    assert text([8, 0, 2, 1]) == "0-2,8"


@pytest.mark.parametrize(
    ("count", "free", "nodes", "near", "chosen"),
    [
        (1, {3, 1, 2}, [], [], [1]),
        (2, {0, 1, 2, 3}, [[0, 1], [2, 3]], [], [0, 1]),
        (2, {1, 2, 3}, [[0, 1], [2, 3]], [], [2, 3]),
        (1, {1, 2, 3}, [[0, 1], [2, 3]], [], [1]),
        (1, {0, 1, 3}, [[0, 1], [2, 3]], [2], [3]),
        (2, {0, 1, 3}, [[0, 1], [2, 3]], [2], [0, 1]),
        (3, {0, 1, 3}, [[0, 1], [2, 3]], [2], [0, 1, 3]),
        (2, {1, 3}, [[0, 1], [2, 3]], [], [1, 3]),
        (2, {1}, [[0, 1]], [], None),
        (1, set(), [], [], None),
    ],
)
def test_the_lowest_free_cores_of_one_node_where_one_has_enough(count, free, nodes, near, chosen):
    assert choose(count, free, nodes, near) == chosen


@given(st.integers(0, 6), st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_what_is_chosen_is_free_and_as_many_as_asked_for(count, free, first):
    chosen = choose(count, free, [first, set(range(10)) - first])
    if count > len(free):
        assert chosen is None
    else:
        assert chosen is not None
        assert len(set(chosen)) == count
        assert set(chosen) <= free


@pytest.mark.parametrize(("cpu", "whole"), [(1, True), (2.0, True), (0.5, False), (0.0, False), (1.5, False), (16, True)])
def test_whole_cores(cpu, whole):
    assert is_whole(cpu) is whole
