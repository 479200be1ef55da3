"""What the tests of a runtime driver stand on: programs, fixtures, shorthands."""

from __future__ import annotations

import time
import uuid as uuids
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from zun.domain.lifecycle import EngineState
from zun.interfaces.runtime import ContainerSpec, ContainerState, Runtime, SandboxSpec

E = EngineState

_LOOP = "while :; do sleep 0.05; done"
#: runs until SIGTERM, then ends with 3
WAITS = ["sh", "-c", f"trap 'exit 3' TERM; {_LOOP}"]
#: runs, and as process 1 takes no notice of SIGTERM
STUBBORN = ["sleep", "1000"]
#: writes three lines, the second one on standard error, and runs on
TALKS = ["sh", "-c", f"echo one; echo two >&2; echo three; trap 'exit 0' TERM; {_LOOP}"]
ENDS_WITH_7 = ["sh", "-c", "exit 7"]
NOT_THERE = ["/no/such/program"]
#: answers on port 8080 of its own network namespace
SERVES = ["httpd", "-f", "-p", "8080", "-h", "/etc"]
#: takes 64 MiB for a moment and ends with 0
NEEDS_64 = ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]

#: commands for ``execute``
ASKS = ["wget", "-q", "-O", "-", "http://127.0.0.1:8080/passwd"]
SAYS = ["sh", "-c", "echo out; echo err >&2; exit 5"]
FLOODS = ["sh", "-c", "yes | head -c 200000"]
ENDLESS = ["sleep", "4321"]
SHOWS_INIT = ["cat", "/proc/1/cmdline"]
SHOWS_CORES = ["grep", "Cpus_allowed_list", "/proc/self/status"]
#: writes "<quota> <period>" in microseconds, or "max <period>": control groups of version 2 or 1
SHOWS_CEILING = [
    "sh",
    "-c",
    "cd /sys/fs/cgroup; cat cpu.max 2>/dev/null || echo $(cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us | sed 's/^-1$/max/')",
]
#: says what is said to it
ECHOES = ["cat"]

COMMANDS = (
    WAITS,
    STUBBORN,
    TALKS,
    ENDS_WITH_7,
    NOT_THERE,
    SERVES,
    NEEDS_64,
    ASKS,
    SAYS,
    FLOODS,
    ENDLESS,
    SHOWS_INIT,
    SHOWS_CORES,
    SHOWS_CEILING,
    ECHOES,
)

PATIENCE = 20.0


def eventually(check: Callable[[], bool]) -> None:
    """Wait until ``check`` holds; a driver that never gets there fails."""
    until = time.monotonic() + PATIENCE
    while not check():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.01)


def new_uuid() -> str:
    return str(uuids.uuid4())


class Bench:
    """One deployment in one engine: shorthands for making things."""

    def __init__(self, runtime: Runtime, image: str) -> None:
        self.runtime = runtime
        self.image = image

    def sandbox(self, **given: Any) -> str:
        spec = SandboxSpec(**{"uuid": new_uuid(), "network": "none", **given})
        assert self.runtime.ensure_sandbox(spec).running
        return spec.uuid

    def spec(self, command: list[str], **given: Any) -> ContainerSpec:
        held = self.runtime.image(self.image)
        assert held is not None, f"the engine under test must hold {self.image}"
        uuid = given.pop("uuid", None) or new_uuid()
        sandbox = given.pop("sandbox_uuid", None) or self.sandbox()
        return ContainerSpec(uuid=uuid, sandbox_uuid=sandbox, name="c", image=held.id, command=command, **given)

    def created(self, command: list[str], **given: Any) -> str:
        return self.runtime.ensure_container(self.spec(command, **given)).uuid

    def running(self, command: list[str], **given: Any) -> str:
        uuid = self.created(command, **given)
        self.runtime.start(uuid)
        return uuid

    def ended(self, uuid: str) -> ContainerState:
        eventually(lambda: self.state(uuid).state is E.EXITED)
        return self.state(uuid)

    def state(self, uuid: str) -> ContainerState:
        found = self.runtime.inspect(uuid)
        assert found is not None
        return found

    def told(self, uuid: str, command: list[str]) -> str:
        """What a command in it writes."""
        return self.runtime.execute(uuid, command, timeout=10, limit=1000).output.decode()

    def log(self, uuid: str, **given: Any) -> bytes:
        return b"".join(self.runtime.logs(uuid, **given))


class RuntimeFixtures:
    """What a driver must give (it raises NotImplementedError here), and what every test gets."""

    @pytest.fixture
    def connect(self) -> Callable[[str], Runtime]:
        """Makes a client of the engine under test for a deployment; all clients are of one engine."""
        raise NotImplementedError

    @pytest.fixture
    def image(self) -> str:
        """The reference of an image that the engine holds, with busybox in it, that exposes port 8080."""
        raise NotImplementedError

    @pytest.fixture
    def deployment(self, connect: Callable[[str], Runtime]) -> Iterator[str]:
        name = f"t-{new_uuid()[:8]}"
        yield name
        cleaner = connect(name)
        for sandbox in {seen.sandbox_uuid for seen in cleaner.scan()}:
            cleaner.remove_sandbox(sandbox)
        cleaner.close()

    @pytest.fixture
    def runtime(self, connect: Callable[[str], Runtime], deployment: str) -> Iterator[Runtime]:
        made = connect(deployment)
        yield made
        made.close()

    @pytest.fixture
    def second(self, connect: Callable[[str], Runtime], deployment: str) -> Iterator[Runtime]:
        """Another process of the same cloud."""
        made = connect(deployment)
        yield made
        made.close()

    @pytest.fixture
    def stranger(self, connect: Callable[[str], Runtime]) -> Iterator[Runtime]:
        """Another cloud on the same engine."""
        made = connect(f"s-{new_uuid()[:8]}")
        yield made
        made.close()

    @pytest.fixture
    def bench(self, runtime: Runtime, image: str) -> Bench:
        return Bench(runtime, image)

    def kill_sandbox(self, bench: Bench, engine_id: str, uuid: str) -> None:
        """End the sandbox's own process behind the driver's back."""
        raise NotImplementedError

    def lose_sandbox(self, bench: Bench, uuid: str) -> None:
        """Remove the sandbox's own container behind the driver's back, and leave the others."""
        raise NotImplementedError
