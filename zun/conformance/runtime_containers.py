"""What a driver promises of the lives of containers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from zun import errors
from zun.conformance.runtime_bench import ENDS_WITH_7, NOT_THERE, SAYS, STUBBORN, TALKS, WAITS, Bench, RuntimeFixtures, eventually, new_uuid
from zun.domain.lifecycle import EngineState, Health
from zun.interfaces.runtime import Runtime

E = EngineState


class ContainerConformance(RuntimeFixtures):
    """Making, verbs, removing."""

    # -- containers: making and removing ---------------------------------------------------------

    def test_a_container_is_made_once_and_not_started(self, bench: Bench, second: Runtime) -> None:
        spec = bench.spec(WAITS)
        made = bench.runtime.ensure_container(spec)
        assert made.state is E.CREATED
        assert made.exit_code is None
        assert made.started_at is None
        assert second.ensure_container(spec) == made
        assert second.inspect(spec.uuid) == made

    def test_a_running_container_survives_being_ensured(self, bench: Bench, second: Runtime) -> None:
        spec = bench.spec(WAITS)
        bench.runtime.ensure_container(spec)
        started = bench.runtime.start(spec.uuid)
        assert second.ensure_container(spec) == started

    def test_a_container_needs_its_sandbox(self, bench: Bench) -> None:
        with pytest.raises(errors.NoSuchObject):
            bench.created(WAITS, sandbox_uuid=new_uuid())

    def test_a_container_needs_its_image(self, bench: Bench) -> None:
        spec = msgspec.structs.replace(bench.spec(WAITS), image="sha256:" + "0" * 64)
        with pytest.raises(errors.EngineError):
            bench.runtime.ensure_container(spec)

    def test_a_container_left_over_from_a_lost_sandbox_is_made_anew(self, bench: Bench) -> None:
        spec = bench.spec(WAITS)
        bench.runtime.ensure_container(spec)
        self.lose_sandbox(bench, spec.sandbox_uuid)
        bench.sandbox(uuid=spec.sandbox_uuid)
        bench.runtime.ensure_container(spec)
        assert bench.runtime.start(spec.uuid).state is E.RUNNING

    def test_the_newest_revision_is_the_container(self, bench: Bench, second: Runtime) -> None:
        spec = bench.spec(WAITS)
        old = bench.runtime.ensure_container(spec)
        bench.runtime.start(spec.uuid)
        new = second.ensure_container(msgspec.structs.replace(spec, revision=1))
        assert new.engine_id != old.engine_id
        assert bench.state(spec.uuid) == new
        assert {(seen.revision, seen.state) for seen in bench.runtime.scan() if seen.container_uuid} == {(0, E.RUNNING), (1, E.CREATED)}

    def test_an_older_revision_is_addressed_by_its_number(self, bench: Bench, second: Runtime) -> None:
        spec = bench.spec(STUBBORN)
        bench.runtime.ensure_container(spec)
        bench.runtime.ensure_container(msgspec.structs.replace(spec, revision=2))
        assert bench.runtime.start(spec.uuid, revision=0).revision == 0
        assert {(seen.revision, seen.state) for seen in bench.runtime.scan() if seen.container_uuid} == {(0, E.RUNNING), (2, E.CREATED)}
        assert second.inspect(spec.uuid, revision=0) == bench.runtime.inspect(spec.uuid, 0) != bench.runtime.inspect(spec.uuid)
        assert second.stop(spec.uuid, 0, revision=0).state is E.EXITED
        assert second.start(spec.uuid).revision == 2
        assert bench.runtime.inspect(spec.uuid, revision=1) is None
        for verb in (bench.runtime.start, second.stop):
            with pytest.raises(errors.NoSuchObject):
                verb(spec.uuid, revision=1)

    @pytest.mark.parametrize("kept", [0, 1])
    def test_all_revisions_but_one_can_be_removed(self, bench: Bench, kept: int) -> None:
        spec = bench.spec(WAITS)
        bench.running(WAITS, uuid=spec.uuid, sandbox_uuid=spec.sandbox_uuid)
        bench.runtime.ensure_container(msgspec.structs.replace(spec, revision=1))
        for _ in range(2):
            bench.runtime.remove(spec.uuid, keep_revision=kept)
            assert bench.state(spec.uuid).revision == kept

    def test_a_running_container_can_be_removed_and_again(self, bench: Bench, second: Runtime) -> None:
        uuid = bench.running(STUBBORN)
        second.remove(uuid)
        assert bench.runtime.inspect(uuid) is None
        second.remove(uuid)
        assert len(bench.runtime.scan()) == 1

    def test_an_unknown_container_is_none_and_every_verb_says_so(self, runtime: Runtime) -> None:
        unknown = new_uuid()
        assert runtime.inspect(unknown) is None
        verbs: list[Callable[[], object]] = [
            lambda: runtime.start(unknown),
            lambda: runtime.stop(unknown),
            lambda: runtime.kill(unknown, "KILL"),
            lambda: runtime.pause(unknown),
            lambda: runtime.unpause(unknown),
            lambda: runtime.update(unknown, cpu=1.0),
            lambda: runtime.logs(unknown),
            lambda: runtime.execute(unknown, SAYS, timeout=5, limit=10),
            lambda: runtime.top(unknown),
            lambda: runtime.stats(unknown),
        ]
        for verb in verbs:
            with pytest.raises(errors.NoSuchObject):
                verb()

    # -- containers: health ----------------------------------------------------------------------

    def test_a_health_check_is_run_and_what_it_says_is_shown_until_the_container_ends(self, bench: Bench, second: Runtime) -> None:
        news: list[str] = []
        stream = second.events()
        listening = threading.Thread(target=lambda: news.extend(event.what for event in stream), daemon=True)
        listening.start()
        well = bench.running(STUBBORN, healthcheck={"test": "true", "interval": 1, "timeout": 5, "retries": 1})
        sick = bench.running(STUBBORN, healthcheck={"test": "false", "interval": 1, "timeout": 5, "retries": 1})
        eventually(lambda: bench.state(well).health is Health.HEALTHY)
        eventually(lambda: bench.state(sick).health is Health.UNHEALTHY)
        shown = {seen.container_uuid: seen.health for seen in bench.runtime.scan() if seen.container_uuid}
        assert shown == {well: Health.HEALTHY, sick: Health.UNHEALTHY}
        eventually(lambda: {"health_status: healthy", "health_status: unhealthy"} <= set(news))
        assert bench.runtime.stop(sick, 0).health is None
        assert not [what for what in news if what.startswith("exec")], "its running is no news"
        second.close()

    def test_without_a_check_there_is_no_health(self, bench: Bench) -> None:
        assert bench.state(bench.running(STUBBORN)).health is None

    # -- containers: life ------------------------------------------------------------------------

    def test_start_and_a_second_start(self, bench: Bench, second: Runtime) -> None:
        uuid = bench.created(WAITS)
        started = bench.runtime.start(uuid)
        assert started.state is E.RUNNING
        assert started.exit_code is None
        assert started.finished_at is None
        assert started.started_at is not None
        assert started.started_at.tzinfo is None
        assert abs(started.started_at - datetime.now(UTC).replace(tzinfo=None)) < timedelta(hours=1)
        assert second.start(uuid) == started

    def test_a_container_ends_with_its_exit_code(self, bench: Bench) -> None:
        ended = bench.ended(bench.running(ENDS_WITH_7))
        assert ended.exit_code == 7
        assert ended.started_at is not None
        assert ended.finished_at is not None
        assert ended.finished_at >= ended.started_at

    def test_what_cannot_be_started_says_why(self, bench: Bench) -> None:
        uuid = bench.created(NOT_THERE)
        with pytest.raises(errors.EngineError, match="/no/such/program"):
            bench.runtime.start(uuid)
        assert bench.state(uuid).state in (E.CREATED, E.EXITED)
        assert bench.state(uuid).error

    def test_nothing_starts_in_a_sandbox_that_does_not_run(self, bench: Bench) -> None:
        spec = bench.spec(WAITS)
        bench.runtime.ensure_container(spec)
        engine_id = (bench.runtime.sandbox(spec.sandbox_uuid) or pytest.fail("no sandbox")).engine_id
        self.kill_sandbox(bench, engine_id, spec.sandbox_uuid)
        eventually(lambda: (state := bench.runtime.sandbox(spec.sandbox_uuid)) is not None and not state.running)
        with pytest.raises(errors.EngineError):
            bench.runtime.start(spec.uuid)
        with pytest.raises(errors.NotRunning):
            bench.created(WAITS, sandbox_uuid=spec.sandbox_uuid)

    def test_stop_asks_first(self, bench: Bench) -> None:
        uuid = bench.running(TALKS)
        eventually(lambda: b"three" in bench.log(uuid))  # so that it has set its trap
        assert bench.runtime.stop(uuid, 15).exit_code == 0

    def test_stop_ends_what_does_not_listen(self, bench: Bench) -> None:
        stopped = bench.runtime.stop(bench.running(STUBBORN), 0)
        assert stopped.state is E.EXITED
        assert stopped.exit_code == 137

    def test_a_second_stop_and_a_new_start(self, bench: Bench, second: Runtime) -> None:
        uuid = bench.running(STUBBORN)
        stopped = bench.runtime.stop(uuid, 0)
        assert second.stop(uuid, 0) == stopped
        again = second.start(uuid)
        assert again.state is E.RUNNING
        assert again.started_at is not None and stopped.started_at is not None
        assert again.started_at > stopped.started_at

    def test_stopping_what_never_ran_changes_nothing(self, bench: Bench) -> None:
        assert bench.runtime.stop(bench.created(WAITS), 0).state is E.CREATED

    def test_kill_sends_the_signal(self, bench: Bench) -> None:
        uuid = bench.running(STUBBORN)
        assert bench.runtime.kill(uuid, "HUP").state is E.RUNNING
        bench.runtime.kill(uuid, "KILL")
        assert bench.ended(uuid).exit_code == 137

    def test_kill_needs_life(self, bench: Bench) -> None:
        uuid = bench.running(ENDS_WITH_7)
        bench.ended(uuid)
        with pytest.raises(errors.NotRunning):
            bench.runtime.kill(uuid, "TERM")

    def test_pause_and_unpause_may_be_repeated(self, bench: Bench, second: Runtime) -> None:
        uuid = bench.running(WAITS)
        assert bench.runtime.pause(uuid).state is E.PAUSED
        assert second.pause(uuid).state is E.PAUSED
        assert bench.runtime.unpause(uuid).state is E.RUNNING
        assert second.unpause(uuid).state is E.RUNNING

    def test_only_what_runs_can_be_paused(self, bench: Bench) -> None:
        uuid = bench.created(WAITS)
        for verb in (bench.runtime.pause, bench.runtime.unpause):
            with pytest.raises(errors.NotRunning):
                verb(uuid)

    def test_a_paused_container_takes_no_commands_and_no_start_but_a_stop(self, bench: Bench) -> None:
        uuid = bench.running(STUBBORN)
        bench.runtime.pause(uuid)
        with pytest.raises(errors.NotRunning):
            bench.runtime.execute(uuid, SAYS, timeout=5, limit=100)
        with pytest.raises(errors.NotRunning):
            bench.runtime.start(uuid)
        assert bench.runtime.stop(uuid, 0).state is E.EXITED
