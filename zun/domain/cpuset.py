"""Sets of a host's cores: how operators and kernels write them, and which cores somebody gets who wants some to himself. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

#: more than any kernel counts
MOST_CORES = 8192


def parse(text: str) -> list[int]:
    """The cores that a text such as ``4-12,^8,15`` names, in order: the grammar of Nova's ``cpu_dedicated_set``, which is also that of
    the kernel's lists.

    Numbers and ranges add cores; with ``^`` before them they take them out, wherever they stand. Raises ValueError with the rule that
    the text breaks.
    """
    named: set[int] = set()
    taken_out: set[int] = set()
    for part in (part.strip() for part in text.split(",")):
        if part:
            (taken_out if part.startswith("^") else named).update(_cores(part.removeprefix("^"), part))
    return sorted(named - taken_out)


def _cores(text: str, part: str) -> range:
    first, dash, last = (word.strip() for word in text.partition("-"))
    numbers = [first, last] if dash else [first]
    if not all(number.isascii() and number.isdecimal() and len(number) <= len(str(MOST_CORES)) for number in numbers):
        raise ValueError(f"{part!r} is no core such as '4', no range such as '4-12', and neither of them with '^' before it")
    low, high = int(numbers[0]), int(numbers[-1])
    if low > high or high >= MOST_CORES:
        raise ValueError(f"{part!r} is no range of cores: it must rise, and end below {MOST_CORES}")
    return range(low, high + 1)


def text(cores: Iterable[int]) -> str:
    """The shortest text that names these cores, as kernels and engines read it: ``0-2,8``."""
    found: list[str] = []
    run: list[int] = []
    for core in [*sorted(set(cores)), None]:
        if run and (core is None or core != run[-1] + 1):
            found.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
            run = []
        if core is not None:
            run.append(core)
    return ",".join(found)


def choose(count: int, free: Collection[int], nodes: Sequence[Collection[int]], near: Collection[int] = ()) -> list[int] | None:
    """So many cores out of the free ones, in order, or None where there are too few: the lowest ones of the first NUMA node that has
    enough of them, else the lowest ones of all.

    ``nodes`` are the cores of each node, empty where nothing is known of them. The nodes of the cores ``near`` come first.
    """
    if count > len(free):
        return None
    homes = sorted(nodes, key=lambda node: not set(near) & set(node))
    for node in homes:
        there = sorted(set(free) & set(node))
        if len(there) >= count:
            return there[:count]
    # On no node alone: as much as there is where the others are, and the rest wherever it is.
    beside = {core for node in homes if set(near) & set(node) for core in node}
    return sorted(sorted(free, key=lambda core: (core not in beside, core))[:count])


def is_whole(cpu: float) -> bool:
    """Whether an amount of CPU can be had as cores of one's own."""
    return cpu >= 1 and float(cpu).is_integer()
