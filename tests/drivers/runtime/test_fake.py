"""The engine in memory keeps the promises of a real one, and breaks on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from zun import errors
from zun.conformance import runtime as suite
from zun.domain.lifecycle import EngineState
from zun.drivers.runtime.fake import FakeEngine, FakeRuntime, Program
from zun.interfaces.runtime import EngineImage, Runtime, SandboxSpec

PROGRAMS = {
    tuple(suite.WAITS): Program(heeds_term=3),
    tuple(suite.STUBBORN): Program(heeds_term=None),
    tuple(suite.TALKS): Program(writes=((1, b"one\n"), (2, b"two\n"), (1, b"three\n"))),
    tuple(suite.ENDS_WITH_7): Program(ends=7),
    tuple(suite.NOT_THERE): Program(fails="/no/such/program: no such file or directory"),
    tuple(suite.SERVES): Program(listens=8080),
    tuple(suite.NEEDS_64): Program(needs=64, ends=0),
    tuple(suite.ASKS): Program(asks=8080),
    tuple(suite.SAYS): Program(writes=((1, b"out\n"), (2, b"err\n")), ends=5),
    tuple(suite.FLOODS): Program(writes=((1, b"y\n" * 100_000),), ends=0),
    tuple(suite.ENDLESS): Program(),
    tuple(suite.ECHOES): Program(echoes=True),
    tuple(suite.SHOWS_CORES): Program(shows_cores=True, ends=0),
    tuple(suite.SHOWS_CEILING): Program(shows_ceiling=True, ends=0),
    tuple(suite.SHOWS_INIT): Program(shows_init=True, ends=0),
}
BUSYBOX = "docker.io/library/busybox:latest"


@pytest.fixture
def engine() -> FakeEngine:
    made = FakeEngine(images={BUSYBOX: EngineImage(id="sha256:1", ports=[8080], architecture="amd64")})
    made.programs.update(PROGRAMS)
    return made


class TestFakeRuntime(suite.RuntimeConformance):
    @pytest.fixture
    def connect(self, engine: FakeEngine) -> Callable[[str], Runtime]:
        return lambda deployment: FakeRuntime(engine, deployment)

    @pytest.fixture
    def image(self) -> str:
        return "busybox:latest"

    @pytest.fixture(autouse=True)
    def _engine(self, engine: FakeEngine) -> None:
        self.engine = engine

    def kill_sandbox(self, bench: suite.Bench, engine_id: str, uuid: str) -> None:
        self.engine.die(uuid, 137)

    def lose_sandbox(self, bench: suite.Bench, uuid: str) -> None:
        self.engine.lose(uuid)


def test_every_command_of_the_suite_is_known() -> None:
    assert {tuple(command) for command in suite.COMMANDS} == set(PROGRAMS)


def test_a_fault_comes_as_often_as_ordered(engine: FakeEngine) -> None:
    runtime = FakeRuntime(engine)
    engine.fail("scan", errors.EngineUnavailable(reason="ordered"), times=2)
    for _ in range(2):
        with pytest.raises(errors.EngineUnavailable):
            runtime.scan()
    assert runtime.scan() == []


def test_a_call_whose_answer_is_lost_was_carried_out(engine: FakeEngine) -> None:
    runtime = FakeRuntime(engine)
    engine.fail("ensure_sandbox", errors.EngineUnavailable(reason="ordered"), after=True)
    with pytest.raises(errors.EngineUnavailable):
        runtime.ensure_sandbox(SandboxSpec(uuid="s"))
    assert [seen.sandbox_uuid for seen in runtime.scan()] == ["s"]


def test_a_hung_call_goes_on_when_released(engine: FakeEngine) -> None:
    runtime = FakeRuntime(engine)
    hang = engine.hang("ensure_sandbox")
    made: list[bool] = []
    thread = threading.Thread(target=lambda: made.append(runtime.ensure_sandbox(SandboxSpec(uuid="s")).running))
    thread.start()
    suite.eventually(lambda: ("ensure_sandbox", "s") in engine.calls)
    assert runtime.scan() == []
    hang.release()
    thread.join()
    assert made == [True]


def test_an_engine_that_is_down_answers_nothing_and_ends_the_news(engine: FakeEngine) -> None:
    runtime, spec = FakeRuntime(engine), SandboxSpec(uuid="s")
    runtime.ensure_sandbox(spec)
    news = runtime.events()
    engine.stop()
    assert next(news).what == "die"
    with pytest.raises(errors.EngineUnavailable):
        next(news)
    with pytest.raises(errors.EngineUnavailable):
        runtime.scan()
    engine.start()
    assert [seen.state for seen in runtime.scan()] == [EngineState.EXITED]
    assert runtime.ensure_sandbox(spec).running


def test_a_pull_brings_what_the_registry_has(engine: FakeEngine) -> None:
    runtime = FakeRuntime(engine)
    engine.registry["docker.io/library/web:1"] = EngineImage(id="sha256:2")
    told: list[str] = []
    assert runtime.pull("web:1", None, told.append).id == "sha256:2"
    assert told
    assert runtime.image("web:1") == EngineImage(id="sha256:2")
