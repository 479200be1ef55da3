"""What was measured, as a table for a terminal and as one for a document."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

HEADINGS = ("what", "zun", "peer", "ratio", "target", "reached")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. ``zun`` and ``peer`` are in the unit that their names say; ``target`` is a bound on ``judged`` (``zun`` if None)."""

    what: str
    zun: float
    unit: str
    peer: float | None = None
    target: float | None = None
    judged: float | None = None
    #: for a rate a higher figure is the better one: its ratio shows how many times slower the service is, as that of a time does
    rate: bool = False
    note: str = ""
    #: where the service is to be better than its peer: so many times at least (0: it is only shown how many times it is)
    times: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the target was reached; None without one."""
        if self.times:
            return self.gain >= self.times
        if self.target is None:
            return None
        return (self.zun if self.judged is None else self.judged) <= self.target

    @property
    def gain(self) -> float:
        """How many times better than the peer the figure is: as much for a rate, as little for all else. 0 without a peer."""
        return 0.0 if not self.peer or not self.zun else self.zun / self.peer if self.rate else self.peer / self.zun

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        ratio = ""
        if self.peer and self.times is not None:
            ratio = f"{shown(self.gain)} times better"
        elif self.peer:
            ratio = f"x {(self.peer / self.zun if self.rate else self.zun / self.peer):.2f}"
        reached = "" if self.reached is None else "yes" if self.reached else "NO"
        target = f">= {self.times:g} times" if self.times else "" if self.target is None else f"<= {self.target:g} {self.unit}"
        zun = f"{shown(self.zun)} {self.unit} {self.note}".strip()
        peer = "" if self.peer is None else f"{shown(self.peer)} {self.unit}"
        return (self.what, zun, peer, ratio, target, reached)


@dataclass(slots=True)
class Section:
    """Figures that belong together, and what their peer is."""

    title: str
    peer: str
    rows: list[Row] = field(default_factory=list)


def shown(value: float) -> str:
    """Three digits of the value, or all that stand before its point; what is counted as it is."""
    if value == 0 or isinstance(value, int):
        return str(int(value))
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def p95(values: Sequence[float]) -> float:
    """The value that 95 of 100 do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def p99(values: Sequence[float]) -> float:
    """The value that 99 of 100 do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def plain(sections: Sequence[Section]) -> str:
    """The tables for a terminal."""
    lines: list[str] = []
    for section in sections:
        table = [HEADINGS, *(row.cells() for row in section.rows)]
        widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
        lines += ["", section.title, f"  (peer: {section.peer})"]
        for number, row in enumerate(table):
            lines.append("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
            if number == 0:
                lines.append("  " + "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def markdown(sections: Sequence[Section]) -> str:
    """The tables for a document."""
    lines: list[str] = []
    for section in sections:
        lines += [f"### {section.title}", "", f"Peer: {section.peer}.", "", f"| {' | '.join(HEADINGS)} |", "|---|---|---|---|---|---|"]
        lines += [f"| {' | '.join(row.cells())} |" for row in section.rows]
        lines.append("")
    return "\n".join(lines).rstrip()


def missed(sections: Sequence[Section]) -> list[Row]:
    """The rows whose target was not reached."""
    return [row for section in sections for row in section.rows if row.reached is False]
