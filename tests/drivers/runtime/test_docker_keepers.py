"""An engine that died in the middle of a start: what it has left keeps nobody from starting the container, and is left to nobody."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.engines import Dockerd, absent, make_dockerd
from tests.images import load_busybox
from zun import errors
from zun.conformance import runtime as suite
from zun.domain.lifecycle import EngineState
from zun.drivers.runtime import docker_keepers
from zun.drivers.runtime.docker import DockerRuntime
from zun.drivers.runtime.docker_answer import Answer
from zun.interfaces.runtime import SandboxSpec

PATIENCE = 60.0


def eventually(what: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)


class Stage:
    """An engine whose runtime can be told to hang the next time that it is to do something."""

    def __init__(self, folder: Path) -> None:
        self._hangs, self._hanging = folder / "hangs", folder / "hanging"
        program = folder / "runc"
        program.write_text(
            f'#!/bin/sh\nwhat=$(cat {self._hangs} 2>/dev/null)\ncase " $* " in *" ${{what:-nothing}} "*)\n'
            f'rm {self._hangs}; touch {self._hanging}; exec sleep 1000;;\nesac\nexec runc "$@"\n'
        )
        program.chmod(0o755)
        self.engine: Dockerd = make_dockerd("--add-runtime", f"hanging={program}", "--default-runtime", "hanging")
        self.runtime = DockerRuntime(self.engine.socket, "cloud")
        self.bench = suite.Bench(self.runtime, load_busybox(self.engine.socket))

    def die_in(self, step: str, start: Callable[[], object]) -> None:
        """Have the engine killed, and come back, when ``start`` has come to this step of the runtime's."""

        def begin() -> None:
            with suppress(errors.EngineUnavailable):
                start()

        self._hangs.write_text(step)
        starting = threading.Thread(target=begin)
        starting.start()
        eventually(self._hanging.exists)
        self.engine.kill()
        starting.join(PATIENCE)
        self._hanging.unlink()
        self.engine.start()

    def stopped(self) -> str:
        """A container that has run, and has written what it must not lose."""
        uuid = self.bench.running(suite.STUBBORN)
        self.runtime.execute(uuid, ["sh", "-c", "echo kept > /kept"], timeout=PATIENCE, limit=100)
        self.runtime.stop(uuid, 0)
        return uuid

    def held(self, step: str) -> str:
        """A container of which the engine has forgotten that it was being started; its sandbox runs again."""
        uuid = self.stopped()
        self.die_in(step, lambda: self.runtime.start(uuid))
        self.bench.sandbox(uuid=self.bench.state(uuid).sandbox_uuid)
        state = self.bench.state(uuid)
        assert state.state is EngineState.EXITED
        assert docker_keepers.keepers(state.engine_id)
        return uuid

    def kept(self, uuid: str) -> bytes:
        return self.runtime.execute(uuid, ["cat", "/kept"], timeout=PATIENCE, limit=100).output


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("runtime"))
    yield made
    made.runtime.close()
    made.engine.clean()


@pytest.fixture
def stage(theatre: Stage) -> Iterator[Stage]:
    yield theatre
    # An engine that comes back waits for what still runs of its last life to end.
    for seen in theatre.runtime.scan():
        theatre.runtime.remove_sandbox(seen.sandbox_uuid)


@pytest.mark.parametrize("step", ["create", "start"])
def test_a_container_whose_engine_died_while_starting_it_is_started_by_the_next_one(stage: Stage, step: str) -> None:
    uuid = stage.held(step)
    assert stage.runtime.start(uuid).state is EngineState.RUNNING
    assert stage.kept(uuid) == b"kept\n"
    stage.runtime.stop(uuid, 0)
    assert stage.runtime.start(uuid).state is EngineState.RUNNING


def test_a_container_that_can_start_under_no_id_but_another_is_made_anew_with_what_it_had_written(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = stage.held("create")
    engine_id, http, call = stage.bench.state(uuid).engine_id, stage.runtime._http, stage.runtime._http.call

    def refusing(method: str, path: str, **given: object) -> Answer:
        return Answer(500, {"message": "file exists"}) if path == f"/containers/{engine_id}/start" else call(method, path, **given)

    monkeypatch.setattr(http, "call", refusing)
    state = stage.runtime.start(uuid)
    assert state.state is EngineState.RUNNING
    assert state.engine_id != engine_id
    assert stage.kept(uuid) == b"kept\n"
    stage.runtime.remove(uuid)
    assert stage.runtime.inspect(uuid) is None


def test_nothing_is_left_of_one_that_is_removed(stage: Stage) -> None:
    uuid = stage.held("start")
    engine_id = stage.bench.state(uuid).engine_id
    stage.runtime.remove(uuid)
    assert stage.runtime.inspect(uuid) is None
    assert not docker_keepers.keepers(engine_id)


def test_a_sandbox_whose_engine_died_while_starting_it_runs_when_it_is_asked_for_again(stage: Stage) -> None:
    spec = SandboxSpec(uuid=suite.new_uuid(), network="none")
    stage.die_in("start", lambda: stage.runtime.ensure_sandbox(spec))
    assert stage.runtime.ensure_sandbox(spec).running


# -- without an engine -------------------------------------------------------------------------------


def new_engine_id() -> str:
    """Nobody else's, not even of another run of these tests on this machine."""
    return secrets.token_hex(32)


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Makes what looks like the keeper of a container, with a child; the child's number is what it writes first. Further words are those
    of a program that runs it."""
    made: list[subprocess.Popen[str]] = []
    program = tmp_path / "containerd-shim-played"
    program.symlink_to("/bin/sh")

    def make(engine_id: str, *within: str) -> subprocess.Popen[str]:
        words = [*within, str(program), "-c", "sleep 1000 & echo $!; wait", "-id", engine_id]
        made.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True))
        return made[-1]

    yield make
    for process in made:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_what_keeps_a_container_is_ended_with_all_that_it_has_started_and_nothing_else_is(keeper) -> None:
    engine_id = new_engine_id()
    ours, other = keeper(engine_id), keeper(new_engine_id())
    child = int(ours.stdout.readline())
    # For a moment, until it has become another program, a child looks like what has made it.
    eventually(lambda: docker_keepers.keepers(engine_id) == [ours.pid])
    assert docker_keepers.end(engine_id, lambda: True, grace=0)
    assert ours.wait(PATIENCE) < 0
    eventually(lambda: not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes())
    assert other.poll() is None


def test_a_container_that_somebody_has_started_meanwhile_is_left_alone(keeper) -> None:
    engine_id = new_engine_id()
    ours = keeper(engine_id)
    ours.stdout.readline()
    assert not docker_keepers.end(engine_id, lambda: False, grace=0)
    assert ours.poll() is None


def test_what_keeps_a_start_that_somebody_has_begun_meanwhile_is_left_alone(keeper) -> None:
    engine_id = new_engine_id()
    forgotten = keeper(engine_id)
    forgotten.stdout.readline()
    begun: list[subprocess.Popen[str]] = []

    def idle() -> bool:
        forgotten.kill()
        forgotten.wait()
        begun.append(keeper(engine_id))
        begun[0].stdout.readline()
        return True

    docker_keepers.end(engine_id, idle, grace=0)
    assert begun[0].poll() is None


def test_what_a_container_calls_a_keeper_is_none(keeper) -> None:
    if os.geteuid() != 0:
        absent("a PID namespace needs root")
    engine_id = new_engine_id()
    program = keeper(engine_id, "unshare", "--pid", "--fork", "--kill-child")
    program.stdout.readline()
    assert not docker_keepers.end(engine_id, lambda: True, grace=0)
    assert program.poll() is None


def test_a_keeper_that_goes_by_itself_was_in_nobodys_way(keeper) -> None:
    engine_id = new_engine_id()
    ours = keeper(engine_id)
    ours.stdout.readline()
    ended = threading.Thread(target=lambda: (ours.kill(), ours.wait()))
    ended.start()
    assert not docker_keepers.end(engine_id, lambda: pytest.fail("nobody needs to know"), grace=PATIENCE)
    ended.join()
