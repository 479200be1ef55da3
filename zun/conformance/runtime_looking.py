"""What a driver promises of looking: into containers, at everything, and at the news."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from zun import errors
from zun.conformance.runtime_bench import (
    ENDLESS,
    ENDS_WITH_7,
    FLOODS,
    NOT_THERE,
    PATIENCE,
    SAYS,
    STUBBORN,
    TALKS,
    WAITS,
    Bench,
    RuntimeFixtures,
    eventually,
    new_uuid,
)
from zun.domain.lifecycle import EngineState
from zun.interfaces.runtime import EngineEvent, Runtime

E = EngineState


class LookingConformance(RuntimeFixtures):
    """Logs, commands, processes, use, scans and events."""

    # -- looking inside --------------------------------------------------------------------------

    @pytest.mark.parametrize("tty", [False, True])
    def test_the_log_has_all_that_was_written(self, bench: Bench, tty: bool) -> None:
        uuid = bench.running(TALKS, tty=tty)
        eventually(lambda: len(bench.log(uuid).splitlines()) == 3)
        assert set(bench.log(uuid).split()) == {b"one", b"two", b"three"}

    def test_the_log_can_be_narrowed(self, bench: Bench) -> None:
        uuid = bench.running(TALKS)
        eventually(lambda: len(bench.log(uuid).splitlines()) == 3)
        assert bench.log(uuid, stderr=False) == b"one\nthree\n"
        assert bench.log(uuid, stdout=False) == b"two\n"
        assert bench.log(uuid, stdout=False, stderr=False) == b""
        assert len(bench.log(uuid, tail=1).splitlines()) == 1
        assert bench.log(uuid, tail=0) == b""
        now = datetime.now(UTC).replace(tzinfo=None)
        assert bench.log(uuid, since=now + timedelta(minutes=5)) == b""
        assert len(bench.log(uuid, since=now - timedelta(minutes=5)).splitlines()) == 3

    def test_log_lines_can_carry_their_times(self, bench: Bench) -> None:
        uuid = bench.running(TALKS)
        eventually(lambda: len(bench.log(uuid).splitlines()) == 3)
        for line in bench.log(uuid, timestamps=True).splitlines():
            assert datetime.fromisoformat(line.split()[0].decode()[:19])

    def test_the_log_outlives_the_container_and_is_empty_before_it(self, bench: Bench) -> None:
        uuid = bench.created(TALKS)
        assert bench.log(uuid) == b""
        bench.runtime.start(uuid)
        eventually(lambda: len(bench.log(uuid).splitlines()) == 3)
        bench.runtime.stop(uuid, 0)
        assert len(bench.log(uuid).splitlines()) == 3

    def test_a_command_gives_its_output_and_exit_code(self, bench: Bench) -> None:
        result = bench.runtime.execute(bench.running(WAITS), SAYS, timeout=10, limit=1000)
        assert result.exit_code == 5
        assert sorted(result.output.splitlines()) == [b"err", b"out"]

    def test_a_commands_output_is_cut_at_the_limit(self, bench: Bench) -> None:
        assert len(bench.runtime.execute(bench.running(WAITS), FLOODS, timeout=10, limit=1000).output) == 1000

    def test_a_command_that_does_not_exist_fails_as_in_a_shell(self, bench: Bench) -> None:
        result = bench.runtime.execute(bench.running(WAITS), NOT_THERE, timeout=10, limit=1000)
        assert result.exit_code in (126, 127)
        assert b"/no/such/program" in result.output

    def test_a_command_that_takes_too_long_is_ended(self, bench: Bench) -> None:
        uuid = bench.running(WAITS)
        with pytest.raises(errors.ExecTimeout):
            bench.runtime.execute(uuid, ENDLESS, timeout=0.5, limit=1000)
        eventually(lambda: "4321" not in str(bench.runtime.top(uuid).processes))
        assert bench.state(uuid).state is E.RUNNING

    def test_what_does_not_run_cannot_be_looked_into(self, bench: Bench) -> None:
        uuid = bench.created(WAITS)
        looks: list[Callable[[], object]] = [
            lambda: bench.runtime.execute(uuid, SAYS, timeout=5, limit=10),
            lambda: bench.runtime.top(uuid),
            lambda: bench.runtime.stats(uuid),
        ]
        for look in looks:
            with pytest.raises(errors.NotRunning):
                look()

    def test_top_shows_the_processes(self, bench: Bench) -> None:
        uuid = bench.running(STUBBORN)
        table = bench.runtime.top(uuid)
        assert "PID" in table.titles
        assert any("sleep 1000" in row[-1] for row in table.processes)
        assert bench.runtime.top(uuid, "aux").processes
        with pytest.raises(errors.EngineError):
            bench.runtime.top(uuid, "--no-such-option=1")

    def test_stats_show_the_use(self, bench: Bench) -> None:
        stats = bench.runtime.stats(bench.running(WAITS, memory=64))
        assert stats.cpu_percent >= 0
        assert 0 < stats.memory_used <= stats.memory_limit == 64 << 20
        assert min(stats.block_read, stats.block_written, stats.net_received, stats.net_sent) >= 0

    # -- truth and news --------------------------------------------------------------------------

    def test_a_scan_sees_everything_and_whose_it_is(self, bench: Bench) -> None:
        sandbox = bench.sandbox()
        running, created = bench.running(WAITS, sandbox_uuid=sandbox), bench.created(WAITS, sandbox_uuid=sandbox)
        found = {(seen.sandbox_uuid, seen.container_uuid, seen.state) for seen in bench.runtime.scan()}
        assert found == {(sandbox, None, E.RUNNING), (sandbox, running, E.RUNNING), (sandbox, created, E.CREATED)}

    def test_a_users_labels_cannot_pass_for_ours(self, bench: Bench) -> None:
        victim = new_uuid()
        forged = {"org.openstack.zun.container": victim, "org.openstack.zun.sandbox": victim, "plain": "kept"}
        uuid = bench.created(WAITS, labels=forged)
        assert bench.runtime.inspect(victim) is None
        assert bench.state(uuid).uuid == uuid

    def test_two_clouds_on_one_engine_do_not_see_each_other(self, bench: Bench, stranger: Runtime) -> None:
        spec = bench.spec(WAITS)
        bench.runtime.ensure_container(spec)
        bench.runtime.start(spec.uuid)
        assert stranger.scan() == []
        assert stranger.inspect(spec.uuid) is None
        assert stranger.sandbox(spec.sandbox_uuid) is None
        stranger.remove(spec.uuid)
        stranger.remove_sandbox(spec.sandbox_uuid)
        with pytest.raises(errors.NoSuchObject):
            stranger.stop(spec.uuid, 0)
        assert bench.state(spec.uuid).state is E.RUNNING

    def test_events_tell_of_our_things_and_of_no_others(self, bench: Bench, second: Runtime, stranger: Runtime, image: str) -> None:
        with listening(second) as news:
            other = Bench(stranger, image)
            foreign = other.running(ENDS_WITH_7)
            sandbox = bench.sandbox()
            uuid, frozen = (bench.running(STUBBORN, sandbox_uuid=sandbox) for _ in range(2))
            bench.runtime.pause(frozen)
            bench.runtime.unpause(frozen)
            bench.runtime.execute(uuid, SAYS, timeout=10, limit=100)
            bench.runtime.kill(uuid, "KILL")
            bench.runtime.remove(uuid)
            bench.runtime.remove_sandbox(sandbox)
            seen: list[EngineEvent] = []
            while not (seen and seen[-1].what == "destroy" and seen[-1].container_uuid is None):
                seen.append(news.get(timeout=PATIENCE))
            stranger.remove_sandbox(other.state(foreign).sandbox_uuid)
        ours, paused = ([event.what for event in seen if event.container_uuid == one] for one in (uuid, frozen))
        assert ours == ["start", "die", "destroy"]
        # Docker that hears of the pause from its containerd only after it has unpaused tells both once more.
        assert paused[:3] == ["start", "pause", "unpause"]
        assert set(paused[3:]) <= {"pause", "unpause", "die", "destroy"}
        assert {event.sandbox_uuid for event in seen} == {sandbox}

    def test_events_of_the_past_are_told_on_request(self, bench: Bench, second: Runtime) -> None:
        before = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
        uuid = bench.running(ENDS_WITH_7)
        bench.ended(uuid)
        with listening(second, before) as news:
            told = [news.get(timeout=PATIENCE) for _ in range(3)]
        assert [event.what for event in told if event.container_uuid == uuid] == ["start", "die"]

    def test_a_closed_client_stopslistening_and_refuses_calls(self, second: Runtime) -> None:
        with listening(second):
            pass
        with pytest.raises(errors.EngineUnavailable):
            second.scan()


@contextlib.contextmanager
def listening(runtime: Runtime, since: datetime | None = None) -> Iterator[queue.Queue[EngineEvent]]:
    """Collect news in the background; at the end the client is closed, which must end the listening."""
    news: queue.Queue[EngineEvent] = queue.Queue()
    stream = runtime.events(since)

    def listen() -> None:
        for event in stream:
            news.put(event)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    yield news
    runtime.close()
    listener.join(PATIENCE)
    assert not listener.is_alive(), "events did not end after close"
