"""Lists and shows of a thousand rows each, by ``ab``, in turns, under the same server; then the memory of all processes."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.client import Client, Token
from bench.cloud import ab
from bench.cloud.sides import Side
from bench.idle import Memory, cpu, memory
from bench.report import Row, Section

ROWS = 1000
LIST_TARGET, SHOW_TARGET = 20.0, 8.0
API_TARGET, AGENT_TARGET = 110.0, 100.0
TURNS = 3
#: requests of each client in a first turn that is not counted, and tells how many are answered in a while
WARM = 4
#: of each turn at least: of fewer there is no median
FEWEST = 4
LISTS = "/v1/containers"


@dataclass(frozen=True, slots=True)
class Question:
    """Something that is asked, by so many clients."""

    what: str
    path: str
    clients: int
    target: float = 0.0


@dataclass(slots=True)
class Asked:
    """What came of a question: the answers, and seconds of processor that the server took for them."""

    answers: ab.Answers = field(default_factory=ab.Answers)
    processor: float = 0.0

    def add(self, more: Asked) -> None:
        """Put what came of another turn to this."""
        self.answers.add(more.answers)
        self.processor += more.processor


def questions(shown: str) -> list[Question]:
    """What is asked; ``shown`` is the uuid of a container."""
    show = f"{LISTS}/{shown}"
    return [
        Question("list", LISTS, 1),
        Question("list", LISTS, 8, target=LIST_TARGET),
        Question("show", show, 1),
        Question("show", show, 32, target=SHOW_TARGET),
    ]


def measure(sides: tuple[Side, Side], workers: tuple[Sequence[int], Sequence[int]], seconds: float) -> Section:
    """Every question to both sides, in turns of so many seconds; ``workers`` are the processes that answer."""
    section = Section(
        f"List of {ROWS} containers, and show of one of them; {TURNS} turns of {seconds:g} s",
        "its API on as many rows of the same content; both under uWSGI with 2 processes of one thread, a new connection for each request",
    )
    shown = [_some(side.rows) for side in sides]
    for asked in zip(*map(questions, shown), strict=True):
        last = [_turn(*each, asked[0].clients * WARM) for each in zip(sides, asked, workers, strict=True)]
        found = (Asked(), Asked())
        for _ in range(TURNS):
            counts = [_count(each.answers.rate, seconds, asked[0].clients) for each in last]
            last = [_turn(*each) for each in zip(sides, asked, workers, counts, strict=True)]
            for kept, more in zip(found, last, strict=True):
                kept.add(more)
        rows = _rows(asked[0], *found)
        # A busy machine takes minutes for all of it: what is known is told.
        for row in rows:
            print("  ", *row.cells()[:4], file=sys.stderr, flush=True)
        section.rows += rows
    return section


def _turn(side: Side, question: Question, numbers: Sequence[int], count: int) -> Asked:
    before = sum(map(cpu, numbers))
    answers = ab.ask(side.rows, question.path, question.clients, count)
    return Asked(answers, sum(map(cpu, numbers)) - before)


def _count(rate: float, seconds: float, clients: int) -> int:
    """How many requests take so long; as many for each client, so that none is left alone at the end."""
    return max(FEWEST, clients, round(rate * seconds / clients) * clients)


def _some(access: Token) -> str:
    """The uuid of a container in the middle. Raises RuntimeError where there are not as many rows as there should be."""
    with Client(access) as client:
        found = [str(uuid.UUID(row["uuid"])) for row in client.all()]
    if len(found) != ROWS:
        raise RuntimeError(f"{len(found)} containers, not {ROWS}, are listed by {access.host}:{access.port}")
    return found[len(found) // 2]


def _rows(question: Question, zun: Asked, peer: Asked) -> list[Row]:
    bad = [each.answers.bad for each in (zun, peer)]
    note = f"(not well answered: {bad[0]} of ours, {bad[1]} of the peer's)" if any(bad) else ""
    spent = [each.processor / each.answers.good * 1000 for each in (zun, peer)]
    processor = Row("  processor time of it in the server", spent[0], "ms", spent[1], times=0)
    if question.clients == 1:
        times = [each.answers.median * 1000 for each in (zun, peer)]
        return [Row(f"{question.what}, median of an answer", times[0], "ms", times[1], times=0, note=note), processor]
    what = f"{question.what}, {question.clients} at once"
    return [Row(what, zun.answers.rate, "/s", peer.answers.rate, rate=True, times=question.target, note=note), processor]


def processes(
    api: tuple[Sequence[int], Sequence[int]], agent: tuple[Sequence[int], Sequence[int]], own: Sequence[int], worked: Sequence[int]
) -> Section:
    """What the processes of both sides have in memory, the largest of each kind. ``own`` are the cloud's own workers, ``worked`` those of
    ``bench.cloud.worker``."""
    section = Section(f"Memory after all of this (10^6 bytes), with lists of {ROWS} containers answered", "its processes of the same kind")
    kinds = (
        ("API worker, under uWSGI, after lists and shows", api, API_TARGET),
        ("API worker under gunicorn, 8 threads, after creates, lists and shows; its peer is the same", (worked, api[1]), API_TARGET),
        ("API worker of the cloud, under gunicorn, after creates; its peer is the same", (own, api[1]), API_TARGET),
        ("agent of a host", agent, AGENT_TARGET),
    )
    for what, (zun, peer), target in kinds:
        ours, theirs = _largest(zun), _largest(peer)
        section.rows += [
            Row(f"{what}, RSS", ours.rss, "MB", theirs.rss, target=target),
            Row(f"{what}, PSS", ours.pss, "MB", theirs.pss),
        ]
    return section


def _largest(numbers: Sequence[int]) -> Memory:
    return max((memory(number) for number in numbers), key=lambda found: found.rss)
