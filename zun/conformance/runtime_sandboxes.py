"""What a driver promises of hosts, images and sandboxes."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from zun import errors
from zun.conformance.runtime_bench import (
    ASKS,
    NEEDS_64,
    PATIENCE,
    SERVES,
    SHOWS_INIT,
    STUBBORN,
    WAITS,
    Bench,
    RuntimeFixtures,
    eventually,
    new_uuid,
)
from zun.domain.lifecycle import EngineState
from zun.interfaces.runtime import Runtime, SandboxSpec

E = EngineState


class SandboxConformance(RuntimeFixtures):
    """Sandboxes, and what they are for."""

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

    def test_a_container_shows_whether_it_lives_in_its_sandboxs_network(self, bench: Bench) -> None:
        spec = SandboxSpec(uuid=new_uuid(), network="none")
        first = bench.runtime.ensure_sandbox(spec)
        if first.network is None:
            pytest.skip("the engine's processes are out of sight")
        uuid = bench.created(STUBBORN, sandbox_uuid=spec.uuid)
        assert bench.state(uuid).network is None
        bench.runtime.start(uuid)
        assert bench.state(uuid).network == first.network
        self.kill_sandbox(bench, first.engine_id, spec.uuid)
        eventually(lambda: not (bench.runtime.sandbox(spec.uuid) or first).running)
        assert bench.runtime.ensure_sandbox(spec).network not in (None, bench.state(uuid).network)

    @pytest.mark.parametrize("network", ["none", "engine"])
    def test_a_container_outlives_its_sandbox_and_starts_in_the_next_one(self, bench: Bench, second: Runtime, network: str) -> None:
        sandbox = bench.sandbox(network=network)
        uuid = bench.running(SERVES, sandbox_uuid=sandbox, memory=64)
        stopped = bench.runtime.stop(uuid, 0)
        self.lose_sandbox(bench, sandbox)
        with pytest.raises(errors.EngineError):
            bench.runtime.start(uuid)
        bench.sandbox(uuid=sandbox, network=network)
        started = second.start(uuid)
        assert (started.state, started.revision, started.sandbox_uuid) == (E.RUNNING, stopped.revision, sandbox)
        assert second.start(uuid) == bench.state(uuid) == started
        assert bench.runtime.stats(uuid).memory_limit == 64 << 20
        assert [seen.engine_id for seen in bench.runtime.scan() if seen.container_uuid] == [started.engine_id]
        beside = bench.running(WAITS, sandbox_uuid=sandbox)
        eventually(lambda: bench.runtime.execute(beside, ASKS, timeout=10, limit=1000).exit_code == 0)

    def test_a_container_that_runs_when_its_sandbox_goes_is_brought_into_the_next_one_by_a_new_start(self, bench: Bench) -> None:
        sandbox = bench.sandbox()
        uuid = bench.running(STUBBORN, sandbox_uuid=sandbox)
        self.lose_sandbox(bench, sandbox)
        bench.sandbox(uuid=sandbox)
        bench.runtime.stop(uuid, 0)
        bench.runtime.start(uuid)
        bench.running(SERVES, sandbox_uuid=sandbox)
        eventually(lambda: bench.runtime.execute(uuid, ASKS, timeout=10, limit=1000).exit_code == 0)

    # -- what a sandbox is for -------------------------------------------------------------------

    @pytest.mark.parametrize("network", ["none", "engine"])
    def test_containers_of_one_sandbox_meet_on_localhost_and_others_do_not(self, bench: Bench, network: str) -> None:
        sandbox = bench.sandbox(network=network)
        bench.running(SERVES, sandbox_uuid=sandbox)
        beside = bench.running(WAITS, sandbox_uuid=sandbox)
        elsewhere = bench.running(WAITS, sandbox_uuid=bench.sandbox(network=network))
        eventually(lambda: bench.runtime.execute(beside, ASKS, timeout=10, limit=1000).exit_code == 0)
        assert bench.runtime.execute(elsewhere, ASKS, timeout=10, limit=1000).exit_code != 0

    @pytest.mark.parametrize("network", ["none", "engine"])
    def test_a_connection_can_be_made_from_inside_a_sandboxs_network(self, bench: Bench, network: str) -> None:
        sandbox = bench.sandbox(network=network)
        bench.running(SERVES, sandbox_uuid=sandbox)

        def answered(host: str | None) -> bool:
            with contextlib.suppress(ConnectionRefusedError), bench.runtime.dial(sandbox, 8080, host=host, timeout=PATIENCE) as made:
                with contextlib.suppress(OSError):  # it may have said all before it is asked
                    made.sendall(b"GET /passwd HTTP/1.0\r\n\r\n")
                return b" 200 OK" in made.recv(1000)
            return False

        eventually(lambda: answered(None))
        eventually(lambda: answered("127.0.0.1"))

    def test_nobody_is_reached_where_nobody_listens(self, bench: Bench) -> None:
        sandbox = bench.sandbox(network="engine")
        with pytest.raises(ConnectionRefusedError):
            bench.runtime.dial(sandbox, 8080, timeout=PATIENCE)
        with socket.socket() as ours:
            ours.bind(("0.0.0.0", 0))  # noqa: S104 - what listens on the host is not in the sandbox's network
            ours.listen()
            with pytest.raises(ConnectionRefusedError):
                bench.runtime.dial(sandbox, ours.getsockname()[1], host="127.0.0.1", timeout=PATIENCE)

    def test_no_connection_is_made_without_a_sandbox_that_runs(self, bench: Bench) -> None:
        with pytest.raises(errors.NoSuchObject):
            bench.runtime.dial(new_uuid(), 8080, timeout=PATIENCE)
        sandbox = bench.sandbox()
        self.kill_sandbox(bench, (bench.runtime.sandbox(sandbox) or pytest.fail("no sandbox")).engine_id, sandbox)
        eventually(lambda: (state := bench.runtime.sandbox(sandbox)) is not None and not state.running)
        with pytest.raises(errors.NotRunning):
            bench.runtime.dial(sandbox, 8080, timeout=PATIENCE)

    def test_a_connection_of_another_cloud_cannot_be_made(self, bench: Bench, stranger: Runtime) -> None:
        with pytest.raises(errors.NoSuchObject):
            stranger.dial(bench.sandbox(), 8080, timeout=PATIENCE)

    def test_every_container_is_its_own_process_1(self, bench: Bench) -> None:
        sandbox = bench.sandbox()
        first, other = bench.running(WAITS, sandbox_uuid=sandbox), bench.running(STUBBORN, sandbox_uuid=sandbox)
        for uuid, words in ((first, WAITS), (other, STUBBORN)):
            shown = bench.runtime.execute(uuid, SHOWS_INIT, timeout=10, limit=1000).output
            assert shown.rstrip(b"\0").split(b"\0") == [word.encode() for word in words]

    def test_containers_that_share_their_processes_have_the_sandboxs_process_1(self, bench: Bench) -> None:
        sandbox = bench.sandbox()
        sharing = [bench.running(words, sandbox_uuid=sandbox, share_process_namespace=True) for words in (WAITS, STUBBORN)]
        shown = {bench.runtime.execute(uuid, SHOWS_INIT, timeout=10, limit=1000).output for uuid in sharing}
        assert len(shown) == 1
        assert b"\0".join(word.encode() for word in WAITS) not in shown.pop()

    def test_a_sandbox_can_hold_its_containers_to_one_limit(self, bench: Bench) -> None:
        if not bench.runtime.capabilities().sandbox_limits:
            pytest.skip("this engine limits no sandbox as a whole")
        wide = bench.running(NEEDS_64, sandbox_uuid=bench.sandbox(cpu=1.0, memory=256))
        narrow = bench.running(NEEDS_64, sandbox_uuid=bench.sandbox(cpu=1.0, memory=32))
        assert bench.ended(wide).exit_code == 0
        assert bench.ended(narrow).exit_code == 137

    def test_the_limit_of_a_sandbox_can_change_while_it_lives(self, bench: Bench) -> None:
        if not bench.runtime.capabilities().sandbox_limits:
            pytest.skip("this engine limits no sandbox as a whole")
        sandbox = bench.sandbox(cpu=1.0, memory=32)
        bench.running(WAITS, sandbox_uuid=sandbox)
        bench.runtime.limit_sandbox(sandbox, 2.0, 256)
        assert bench.ended(bench.running(NEEDS_64, sandbox_uuid=sandbox)).exit_code == 0
        bench.runtime.limit_sandbox(sandbox, 1.0, 32)
        assert bench.ended(bench.running(NEEDS_64, sandbox_uuid=sandbox)).exit_code == 137
        bench.sandbox(uuid=sandbox, cpu=2.0, memory=256)
        assert bench.ended(bench.running(NEEDS_64, sandbox_uuid=sandbox)).exit_code == 0

    def test_where_nothing_limits_a_sandbox_its_limit_is_nobodys(self, bench: Bench) -> None:
        bench.runtime.limit_sandbox(bench.sandbox(), 1.0, 16)
        bench.runtime.limit_sandbox(new_uuid(), 1.0, 16)

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
