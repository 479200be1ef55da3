"""Amounts as Kubernetes writes them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zun.domain import quantity


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1", Fraction(1)),
        ("500m", Fraction(1, 2)),
        ("0.5", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("1.", Fraction(1)),
        (0.25, Fraction(1, 4)),
        (3, Fraction(3)),
        ("128Mi", Fraction(128 * 2**20)),
        ("1Gi", Fraction(2**30)),
        ("1G", Fraction(10**9)),
        ("129e6", Fraction(129 * 10**6)),
        ("1E3", Fraction(1000)),
        ("1E", Fraction(10**18)),
        ("100u", Fraction(1, 10_000)),
        ("5e-1", Fraction(1, 2)),
    ],
)
def test_amounts_are_read_exactly(text: str | float, amount: Fraction) -> None:
    assert quantity.read(text) == amount


@pytest.mark.parametrize("text", ["", "Mi", "-1", "1 Gi", "1mi", "1ki", "1.2.3", "1e400", "1e19", "0x10", "1" * 33, "nan", "inf", "٣"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        quantity.read(text)


def test_amounts_are_rounded_up() -> None:
    assert quantity.cores(quantity.read("100u")) == 0.001
    assert quantity.mebibytes(quantity.read("1")) == 1
    assert quantity.mebibytes(quantity.read("64Mi")) == 64
    assert quantity.mebibytes(quantity.read("65M")) == 62


@given(st.text(max_size=40))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    try:
        assert quantity.read(text) >= 0
    except ValueError as error:
        assert str(error).startswith("must")
