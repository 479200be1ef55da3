"""Sagas: all of it or nothing, and what could not be undone is named."""

from datetime import datetime

import pytest

from zun import saga
from zun.saga import SagaFailed, SagaInterrupted, Step


def steps(log, *, failing=(), stubborn=()):
    def do(name):
        def act(context):
            log.append(name)
            if name in failing:
                raise ValueError(f"{name} failed")

        return act

    def undo(name):
        def act(context):
            log.append(f"undo {name}")
            if name in stubborn:
                raise OSError("it will not go")

        return act

    return [Step("one", do("one"), undo("one")), Step("two", do("two")), Step("three", do("three"), undo("three"))]


def run(given, **options):
    saga.run(given, None, clock=lambda: datetime(2026, 1, 1), **options)


def test_the_steps_are_done_in_order():
    log = []
    run(steps(log))
    assert log == ["one", "two", "three"]


def test_a_failure_undoes_what_was_begun_in_reverse():
    log = []
    with pytest.raises(SagaFailed) as failure:
        run(steps(log, failing={"three"}))
    assert log == ["one", "two", "three", "undo three", "undo one"]
    assert (failure.value.step, failure.value.leftovers) == ("three", [])


def test_what_cannot_be_undone_is_named_with_its_reason_and_keeps_nothing_else_from_being_undone(caplog):
    log = []
    with pytest.raises(SagaFailed) as failure:
        run(steps(log, failing={"three"}, stubborn={"three"}))
    assert failure.value.leftovers == ["three"]
    assert "step three could not be undone" in caplog.text
    assert caplog.records[0].exc_info is not None
    assert log[-1] == "undo one"


def test_an_error_that_will_pass_undoes_nothing():
    log = []
    with pytest.raises(SagaInterrupted):
        run(steps(log, failing={"two"}), passing=lambda cause: isinstance(cause, ValueError))
    assert log == ["one", "two"]


def test_giving_up_is_asked_for_before_every_step():
    log = []

    def cancelled():
        if log:
            raise ValueError("given up")

    with pytest.raises(SagaFailed):
        run(steps(log), cancelled=cancelled)
    assert log == ["one", "undo one"]


def test_the_record_tells_what_became_of_each_step():
    record = saga.Record()
    with pytest.raises(SagaFailed):
        run(steps([], failing={"two"}), record=record)
    assert [(step.name, step.error) for step in record.steps] == [("one", None), ("two", "two failed")]


def test_every_step_has_its_fault_points():
    points = []
    run(steps([]), fault=points.append)
    assert points == ["one:before", "one:after", "two:before", "two:after", "three:before", "three:after"]
