"""Lists and shows of a thousand rows each, by the same client, in turns, under the same server; then the memory of all processes."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.client import Client, Token
from bench.cloud.sides import Side
from bench.idle import Memory, cpu, memory
from bench.load import Answers, load
from bench.report import Row, Section, median

ROWS = 1000
LIST_TARGET, SHOW_TARGET = 20.0, 8.0
API_TARGET, AGENT_TARGET = 110.0, 100.0
TURNS = 3
#: seconds of a first turn that is not counted
WARM = 1.0
LISTS = "/v1/containers"


@dataclass(frozen=True, slots=True)
class Question:
    """Something that is asked, by so many clients."""

    what: str
    path: str
    clients: int
    kept: bool = False
    target: float = 0.0


@dataclass(slots=True)
class Asked:
    """What came of a question: the answers, and seconds of processor that the server took for them."""

    answers: Answers = field(default_factory=Answers)
    processor: float = 0.0


def questions(shown: str) -> list[Question]:
    """What is asked; ``shown`` is the uuid of a container."""
    show = f"{LISTS}/{shown}"
    return [
        Question("list", LISTS, 1),
        Question("list", LISTS, 8, target=LIST_TARGET),
        Question("show", show, 1),
        Question("show", show, 32, target=SHOW_TARGET),
        Question("show, connections kept", show, 32, kept=True),
    ]


def measure(sides: tuple[Side, Side], workers: tuple[Sequence[int], Sequence[int]], seconds: float) -> Section:
    """Every question to both sides, in turns of so many seconds; ``workers`` are the processes that answer."""
    section = Section(
        f"List of {ROWS} containers, and show of one of them; {TURNS} turns of {seconds:g} s",
        "its API on as many rows of the same content; both under uWSGI with 2 processes of one thread, a new connection for each request",
    )
    shown = [_some(side.rows) for side in sides]
    for asked in zip(*map(questions, shown), strict=True):
        found = (Asked(), Asked())
        for turn in range(TURNS + 1):
            for side, question, numbers, kept in zip(sides, asked, workers, found, strict=True):
                before = sum(map(cpu, numbers))
                answers = load(_door(side, question), question.path, question.clients, seconds if turn else WARM, kept=question.kept)
                if turn:
                    kept.answers.add(answers)
                    kept.processor += sum(map(cpu, numbers)) - before
        more = _rows(asked[0], *found)
        # A busy machine takes minutes for all of it: what is known is told.
        for row in more:
            print("  ", *row.cells()[:4], file=sys.stderr, flush=True)
        section.rows += more
    return section


def _door(side: Side, question: Question) -> Token:
    return side.kept if question.kept else side.rows


def _some(access: Token) -> str:
    """The uuid of a container in the middle. Raises RuntimeError where there are not as many rows as there should be."""
    with Client(access) as client:
        found = [str(uuid.UUID(row["uuid"])) for row in client.all()]
    if len(found) != ROWS:
        raise RuntimeError(f"{len(found)} containers, not {ROWS}, are listed by {access.host}:{access.port}")
    return found[len(found) // 2]


def _rows(question: Question, zun: Asked, peer: Asked) -> list[Row]:
    times = [median(each.answers.times) * 1000 for each in (zun, peer)]
    spent = [each.processor / len(each.answers.times) * 1000 for each in (zun, peer)]
    if question.clients == 1:
        return [
            Row(f"{question.what}, median of an answer", times[0], "ms", times[1], times=0),
            Row("  processor time of it in the server", spent[0], "ms", spent[1], times=0),
        ]
    what = f"{question.what}, {question.clients} at once"
    return [Row(what, zun.answers.rate, "/s", peer.answers.rate, rate=True, times=question.target)]


def processes(api: tuple[Sequence[int], Sequence[int]], agent: tuple[Sequence[int], Sequence[int]], own: Sequence[int]) -> Section:
    """What the processes of both sides have in memory, the largest of each kind."""
    section = Section(f"Memory after all of this (10^6 bytes), with lists of {ROWS} containers answered", "its processes of the same kind")
    kinds = (
        ("API worker, under uWSGI", api, API_TARGET),
        ("API worker of the cloud, under gunicorn; its peer is the same", (own, api[1]), API_TARGET),
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
