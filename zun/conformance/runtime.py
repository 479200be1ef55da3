"""The promises of :mod:`zun.interfaces.runtime`, as tests that any driver can be put to.

A driver's own test module subclasses :class:`RuntimeConformance`, gives what raises NotImplementedError here and lets pytest collect
it. The programs are busybox's; an engine that runs no real programs must know these command lines by heart.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import uuid as uuids
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from zun import errors
from zun.domain.lifecycle import EngineState
from zun.interfaces.runtime import ContainerSpec, ContainerState, EngineEvent, Runtime, SandboxSpec

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

COMMANDS = (WAITS, STUBBORN, TALKS, ENDS_WITH_7, NOT_THERE, SERVES, NEEDS_64, ASKS, SAYS, FLOODS, ENDLESS, SHOWS_INIT)

_PATIENCE = 20.0


def eventually(check: Callable[[], bool]) -> None:
    """Wait until ``check`` holds; a driver that never gets there fails."""
    until = time.monotonic() + _PATIENCE
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

    def log(self, uuid: str, **given: Any) -> bytes:
        return b"".join(self.runtime.logs(uuid, **given))


class RuntimeConformance:
    """Subclass it, and give ``connect`` and ``image``."""

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

    # -- host and images -------------------------------------------------------------------------

    def test_the_host_is_described(self, runtime: Runtime) -> None:
        facts = runtime.facts()
        assert facts.cpus > 0
        assert facts.mem_total > 0
        assert facts.os_type == "linux"
        assert facts.disk_quota_supported is runtime.capabilities().disk_quota

    def test_an_image_is_found_by_any_form_of_its_name(self, runtime: Runtime, image: str) -> None:
        held = runtime.image(image)
        assert held is not None
        assert held.ports == [8080]
        assert runtime.image(f"docker.io/library/{image}") == held
        assert runtime.image(f"{image.partition(':')[0]}:no-such-tag") is None

    def test_a_pull_that_cannot_succeed_says_so(self, runtime: Runtime) -> None:
        with pytest.raises(errors.ImagePullFailed):
            runtime.pull("127.0.0.1:1/nothing/here:1")

    # -- sandboxes -------------------------------------------------------------------------------

    @pytest.mark.parametrize("network", ["none", "engine"])
    def test_a_sandbox_is_made_once(self, runtime: Runtime, second: Runtime, network: str) -> None:
        spec = SandboxSpec(uuid=new_uuid(), hostname="pod", network=network)
        made = runtime.ensure_sandbox(spec)
        assert made.running
        assert made.hostname == "pod"
        assert made.netns is not None
        assert second.ensure_sandbox(spec) == made
        assert second.sandbox(spec.uuid) == made
        assert len(runtime.scan()) == 1

    def test_a_sandbox_made_by_several_at_once_is_made_once(self, runtime: Runtime, second: Runtime) -> None:
        spec = SandboxSpec(uuid=new_uuid(), network="none")
        made: list[str] = []
        threads = [
            threading.Thread(target=lambda client=client: made.append(client.ensure_sandbox(spec).engine_id))
            for client in (runtime, second, runtime, second)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == 4
        assert len(set(made)) == 1

    def test_the_engines_network_gives_an_address(self, runtime: Runtime) -> None:
        made = runtime.ensure_sandbox(SandboxSpec(uuid=new_uuid(), network="engine"))
        (addresses,) = made.addresses.values()
        assert addresses[0]["version"] == 4
        assert set(addresses[0]) == {"addr", "version", "port", "subnet_id", "preserve_on_delete"}

    def test_a_sandbox_without_a_network_has_no_address(self, runtime: Runtime) -> None:
        assert runtime.ensure_sandbox(SandboxSpec(uuid=new_uuid(), network="none")).addresses == {}

    def test_an_unknown_sandbox_is_none(self, runtime: Runtime) -> None:
        assert runtime.sandbox(new_uuid()) is None

    def test_removing_a_sandbox_takes_its_containers_along_and_may_be_repeated(self, bench: Bench, second: Runtime) -> None:
        sandbox = bench.sandbox()
        running = bench.running(STUBBORN, sandbox_uuid=sandbox)
        created = bench.created(WAITS, sandbox_uuid=sandbox)
        second.remove_sandbox(sandbox)
        assert bench.runtime.sandbox(sandbox) is None
        assert bench.runtime.inspect(running) is None
        assert bench.runtime.inspect(created) is None
        second.remove_sandbox(sandbox)
        assert bench.runtime.scan() == []

    def test_a_sandbox_that_died_runs_again(self, bench: Bench) -> None:
        spec = SandboxSpec(uuid=new_uuid(), network="none")
        first = bench.runtime.ensure_sandbox(spec)
        self.kill_sandbox(bench, first.engine_id, spec.uuid)
        eventually(lambda: not (bench.runtime.sandbox(spec.uuid) or first).running)
        again = bench.runtime.ensure_sandbox(spec)
        assert again.running
        assert again.engine_id == first.engine_id
        bench.running(WAITS, sandbox_uuid=spec.uuid)

    def kill_sandbox(self, bench: Bench, engine_id: str, uuid: str) -> None:
        """End the sandbox's own process behind the driver's back."""
        raise NotImplementedError

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

    def lose_sandbox(self, bench: Bench, uuid: str) -> None:
        """Remove the sandbox's own container behind the driver's back, and leave the others."""
        raise NotImplementedError

    def test_the_newest_revision_is_the_container(self, bench: Bench, second: Runtime) -> None:
        spec = bench.spec(WAITS)
        old = bench.runtime.ensure_container(spec)
        bench.runtime.start(spec.uuid)
        new = second.ensure_container(msgspec.structs.replace(spec, revision=1))
        assert new.engine_id != old.engine_id
        assert bench.state(spec.uuid) == new
        assert {(seen.revision, seen.state) for seen in bench.runtime.scan() if seen.container_uuid} == {(0, E.RUNNING), (1, E.CREATED)}

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

    # -- what a sandbox is for -------------------------------------------------------------------

    @pytest.mark.parametrize("network", ["none", "engine"])
    def test_containers_of_one_sandbox_meet_on_localhost_and_others_do_not(self, bench: Bench, network: str) -> None:
        sandbox = bench.sandbox(network=network)
        bench.running(SERVES, sandbox_uuid=sandbox)
        beside = bench.running(WAITS, sandbox_uuid=sandbox)
        elsewhere = bench.running(WAITS, sandbox_uuid=bench.sandbox(network=network))
        eventually(lambda: bench.runtime.execute(beside, ASKS, timeout=10, limit=1000).exit_code == 0)
        assert bench.runtime.execute(elsewhere, ASKS, timeout=10, limit=1000).exit_code != 0

    def test_every_container_is_its_own_process_1(self, bench: Bench) -> None:
        sandbox = bench.sandbox()
        first, other = bench.running(WAITS, sandbox_uuid=sandbox), bench.running(STUBBORN, sandbox_uuid=sandbox)
        for uuid, words in ((first, WAITS), (other, STUBBORN)):
            shown = bench.runtime.execute(uuid, SHOWS_INIT, timeout=10, limit=1000).output
            assert shown.rstrip(b"\0").split(b"\0") == [word.encode() for word in words]

    def test_a_sandbox_can_hold_its_containers_to_one_limit(self, bench: Bench) -> None:
        if not bench.runtime.capabilities().sandbox_limits:
            pytest.skip("this engine limits no sandbox as a whole")
        wide = bench.running(NEEDS_64, sandbox_uuid=bench.sandbox(cpu=1.0, memory=256))
        narrow = bench.running(NEEDS_64, sandbox_uuid=bench.sandbox(cpu=1.0, memory=32))
        assert bench.ended(wide).exit_code == 0
        assert bench.ended(narrow).exit_code == 137

    def test_a_container_has_its_own_limit_and_it_can_change(self, bench: Bench, second: Runtime) -> None:
        uuid = bench.running(WAITS, cpu=0.5, memory=64)
        assert bench.runtime.stats(uuid).memory_limit == 64 << 20
        second.update(uuid, cpu=0.25)
        assert bench.runtime.stats(uuid).memory_limit == 64 << 20
        second.update(uuid, memory=96)
        assert bench.runtime.stats(uuid).memory_limit == 96 << 20
        second.update(uuid)
        second.update(uuid, memory=48)
        assert bench.runtime.stats(uuid).memory_limit == 48 << 20

    def test_a_container_at_rest_can_change_its_limits(self, bench: Bench) -> None:
        uuid = bench.created(NEEDS_64, memory=32)
        bench.runtime.update(uuid, memory=256)
        bench.runtime.start(uuid)
        assert bench.ended(uuid).exit_code == 0

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
        with _listening(second) as news:
            other = Bench(stranger, image)
            foreign = other.running(ENDS_WITH_7)
            sandbox = bench.sandbox()
            uuid = bench.running(STUBBORN, sandbox_uuid=sandbox)
            bench.runtime.pause(uuid)
            bench.runtime.unpause(uuid)
            bench.runtime.execute(uuid, SAYS, timeout=10, limit=100)
            bench.runtime.kill(uuid, "KILL")
            bench.runtime.remove(uuid)
            bench.runtime.remove_sandbox(sandbox)
            seen: list[EngineEvent] = []
            while not (seen and seen[-1].what == "destroy" and seen[-1].container_uuid is None):
                seen.append(news.get(timeout=_PATIENCE))
            stranger.remove_sandbox(other.state(foreign).sandbox_uuid)
        ours = [event.what for event in seen if event.container_uuid == uuid]
        assert ours == ["start", "pause", "unpause", "die", "destroy"]
        assert {event.sandbox_uuid for event in seen} == {sandbox}

    def test_events_of_the_past_are_told_on_request(self, bench: Bench, second: Runtime) -> None:
        before = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
        uuid = bench.running(ENDS_WITH_7)
        bench.ended(uuid)
        with _listening(second, before) as news:
            told = [news.get(timeout=_PATIENCE) for _ in range(3)]
        assert [event.what for event in told if event.container_uuid == uuid] == ["start", "die"]

    def test_a_closed_client_stops_listening_and_refuses_calls(self, second: Runtime) -> None:
        with _listening(second):
            pass
        with pytest.raises(errors.EngineUnavailable):
            second.scan()


@contextlib.contextmanager
def _listening(runtime: Runtime, since: datetime | None = None) -> Iterator[queue.Queue[EngineEvent]]:
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
    listener.join(_PATIENCE)
    assert not listener.is_alive(), "events did not end after close"
