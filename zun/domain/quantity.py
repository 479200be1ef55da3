"""Amounts as Kubernetes writes them: ``500m``, ``0.5``, ``128Mi``, ``1Gi``, ``1e3``. Read exactly, and rounded up as Kubernetes does."""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil
from typing import Any

from zun.domain.kinds import fixed
from zun.domain.model import Bounds

#: more characters or a larger exponent than any machine's amount needs: reading them would take for ever
MAX_LENGTH = 32
MAX_EXPONENT = 18

MIB = 2**20

_FORM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?")
_BINARY = {f"{letter}i": 2 ** (10 * power) for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {letter: Fraction(10) ** (3 * power) for power, letter in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), start=-3)}


def read(value: str | float) -> Fraction:
    """The amount. Raises ValueError with the rule that the text breaks."""
    text = str(value)
    found = _FORM.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        raise ValueError("must be an amount such as '500m', '0.5', '128Mi' or '1Gi'")
    number, suffix = Fraction(found[1]), found[2] or ""
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        exponent = int(suffix[1:])
        if abs(exponent) > MAX_EXPONENT:
            raise ValueError(f"must have an exponent between -{MAX_EXPONENT} and {MAX_EXPONENT}")
        return number * Fraction(10) ** exponent
    return number * (_BINARY.get(suffix) or _DECIMAL[suffix])


def cores(amount: Fraction) -> float:
    """An amount of CPU, in thousandths rounded up."""
    return ceil(amount * 1000) / 1000


def mebibytes(amount: Fraction) -> int:
    """An amount of memory in MiB, rounded up."""
    return ceil(amount / MIB)


def _load(value: Any, bounds: Bounds) -> Fraction:
    return read(value)


#: a number or a text; null never
QUANTITY = fixed(
    "amount", {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}]}, _load
)
