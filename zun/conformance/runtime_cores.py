"""What a driver promises of the cores that a container runs on, and of how much of them it uses."""

from __future__ import annotations

import pytest

from zun import errors
from zun.conformance.runtime_bench import SHOWS_CEILING, SHOWS_CORES, STUBBORN, Bench, RuntimeFixtures
from zun.domain import cpuset
from zun.domain.lifecycle import EngineState
from zun.interfaces.runtime import Runtime

E = EngineState


class CoreConformance(RuntimeFixtures):
    """Cores of one's own, and ceilings."""

    @pytest.fixture
    def _pins(self, runtime: Runtime) -> None:
        if not runtime.capabilities().cpuset:
            pytest.skip("this engine holds no container to some of its cores")

    @pytest.fixture
    def last(self, runtime: Runtime) -> int:
        """The last one of the host's cores, which is another than the first."""
        if runtime.facts().cpus < 2:
            pytest.skip("this host has one core only")
        return runtime.facts().cpus - 1

    @pytest.mark.usefixtures("_pins")
    def test_a_container_runs_on_the_cores_that_it_is_given(self, bench: Bench) -> None:
        spec = bench.spec(STUBBORN, cpuset=[0])
        made = bench.runtime.ensure_container(spec)
        assert made == bench.state(spec.uuid)
        assert bench.runtime.start(spec.uuid).cpuset == [0]
        assert cores(bench, spec.uuid) == made.cpuset == [0]

    def test_unless_it_is_given_some_it_runs_on_all(self, bench: Bench) -> None:
        uuid = bench.running(STUBBORN)
        assert len(cores(bench, uuid)) == bench.runtime.facts().cpus
        assert bench.state(uuid).cpuset == []

    @pytest.mark.usefixtures("_pins")
    def test_it_can_be_given_others_while_it_runs(self, bench: Bench, second: Runtime, last: int) -> None:
        uuid = bench.running(STUBBORN, cpuset=[0], memory=64)
        began = bench.state(uuid)
        second.update(uuid, cpuset=[last, 0])
        assert cores(bench, uuid) == bench.state(uuid).cpuset == [0, last]
        second.update(uuid, cpu=1.0, cpuset=[last])
        assert cores(bench, uuid) == [last]
        second.update(uuid, memory=96)
        assert cores(bench, uuid) == bench.state(uuid).cpuset == [last]
        assert bench.runtime.stats(uuid).memory_limit == 96 << 20
        assert bench.state(uuid).started_at == began.started_at

    @pytest.mark.usefixtures("_pins")
    def test_it_keeps_them_from_one_life_to_the_next(self, bench: Bench, last: int) -> None:
        uuid = bench.running(STUBBORN, cpuset=[0])
        bench.runtime.stop(uuid, 0)
        bench.runtime.update(uuid, cpuset=[last])
        bench.runtime.start(uuid)
        assert cores(bench, uuid) == [last]

    @pytest.mark.usefixtures("_pins")
    def test_it_takes_them_and_its_ceiling_into_the_next_sandbox(self, bench: Bench, last: int) -> None:
        sandbox = bench.sandbox()
        uuid = bench.running(STUBBORN, sandbox_uuid=sandbox, cpuset=[0], cpu_limit=0.5)
        bench.runtime.update(uuid, cpuset=[last])
        bench.runtime.stop(uuid, 0)
        self.lose_sandbox(bench, sandbox)
        bench.sandbox(uuid=sandbox)
        bench.runtime.start(uuid)
        assert cores(bench, uuid) == [last]
        assert ceiling(bench, uuid) == 0.5

    @pytest.mark.usefixtures("_pins")
    def test_cores_that_there_are_not_are_refused(self, bench: Bench) -> None:
        with pytest.raises(errors.EngineError):
            bench.running(STUBBORN, cpuset=[bench.runtime.facts().cpus + 100])

    @pytest.mark.parametrize(("limit", "shown"), [(0.5, 0.5), (1.5, 1.5), (64.0, 64.0), (0.001, 0.01), (0.0, None)])
    def test_the_use_of_idle_cores_has_a_ceiling(self, bench: Bench, limit: float, shown: float | None) -> None:
        if limit and not bench.runtime.capabilities().cpu_limit:
            pytest.skip("this engine has no ceiling on the use of cores")
        uuid = bench.running(STUBBORN, cpu=0.1, cpu_limit=limit)
        assert ceiling(bench, uuid) == shown
        bench.runtime.update(uuid, cpu=0.2, memory=64)
        assert ceiling(bench, uuid) == shown


def cores(bench: Bench, uuid: str) -> list[int]:
    """Those that a process of the container may run on, as its kernel says."""
    return cpuset.parse(bench.told(uuid, SHOWS_CORES).partition(":")[2])


def ceiling(bench: Bench, uuid: str) -> float | None:
    """How many cores it may use at most, as its kernel says."""
    quota, period = bench.told(uuid, SHOWS_CEILING).split()
    return None if quota == "max" else int(quota) / int(period)
