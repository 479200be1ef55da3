"""How far an image has come is added up, and told seldom."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from zun import errors
from zun.compute.progress import Gauge, Reporter
from zun.domain.action import StepEvent
from zun.interfaces.runtime import Progress

MIB = 1 << 20


def gauge(*told: Progress) -> str:
    made = Gauge()
    for each in told:
        made.add(each)
    return made.words()


def test_layers_and_bytes_are_added_up() -> None:
    assert gauge() == "asking the registry"
    assert gauge(Progress(of="a", what="Pulling fs layer"), Progress(of="b", what="Already exists")) == "1 of 2 layers"
    half = Progress(of="a", what="Downloading", done=MIB, total=4 * MIB)
    assert gauge(half) == "0 of 1 layers, 1.0 of 4.0 MiB (25 %)"
    assert gauge(half, Progress(of="a", what="Pull complete")) == "1 of 1 layers, 4.0 of 4.0 MiB (100 %)"
    assert gauge(half, Progress(of="a", what="Extracting", done=1, total=9)) == gauge(half), "what is unpacked is not counted twice"


def test_a_registry_of_endless_layers_is_not_counted_to_the_end() -> None:
    assert gauge(*(Progress(of=str(number), what="Pulling fs layer") for number in range(10_000))) == "0 of 500 layers"


def test_it_is_told_at_most_once_a_second() -> None:
    now, heard = [datetime(2026, 1, 1)], list[StepEvent]()
    reporter = Reporter(clock=lambda: now[0], tell=heard.append)
    progress = reporter.step("pull_image")
    for number in range(100):
        now[0] += timedelta(milliseconds=50)
        progress(Progress(of="a", what="Downloading", done=number, total=100))
    assert 4 <= len(heard) <= 6
    assert {(event.event, event.finish_time, event.result) for event in heard} == {("compute__pull_image", None, None)}
    assert "99 %" in reporter.details["pull_image"]


def test_nobody_who_hears_is_no_reason_to_stop_and_a_deletion_is() -> None:
    def deaf(event: StepEvent) -> None:
        raise errors.RpcUnavailable(target="conductor", seconds=1)

    def gone() -> None:
        raise errors.Cancelled

    Reporter(tell=deaf).step("pull_image")(Progress(of="a", what="Waiting"))
    with pytest.raises(errors.Cancelled):
        Reporter(cancelled=gone).step("pull_image")(Progress())
