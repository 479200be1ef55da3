"""The Docker driver keeps its promises against a real engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines import Dockerd
from tests.images import load_busybox
from zun import errors
from zun.conformance import runtime as suite
from zun.domain.host_image import own_name
from zun.domain.lifecycle import EngineState
from zun.drivers.runtime import labels
from zun.drivers.runtime.docker import DockerRuntime
from zun.drivers.runtime.docker_http import DockerHttp
from zun.drivers.runtime.pause import image as pause
from zun.interfaces.runtime import Bind, Progress, Runtime, SandboxSpec


@pytest.fixture(scope="session")
def image_reference(dockerd: Dockerd) -> str:
    return load_busybox(dockerd.socket, "zun-conformance:latest", ("EXPOSE 8080/tcp",))


class TestDockerRuntime(suite.RuntimeConformance):
    @pytest.fixture(autouse=True)
    def _engine(self, dockerd: Dockerd) -> None:
        self.engine = dockerd

    @pytest.fixture
    def connect(self, dockerd: Dockerd) -> Iterator[Callable[[str], Runtime]]:
        deployments: set[str] = set()

        def make(deployment: str) -> Runtime:
            deployments.add(deployment)
            # Without swap, so that a memory limit is one wherever the tests run.
            return DockerRuntime(dockerd.socket, deployment, memory_swap=1)

        yield make
        for deployment in deployments:
            for group in groups(f"zun-{deployment}"):
                group.rmdir()

    @pytest.fixture
    def image(self, image_reference: str) -> str:
        return image_reference

    def kill_sandbox(self, bench: suite.Bench, engine_id: str, uuid: str) -> None:
        raw(self.engine, "POST", f"/containers/{engine_id}/kill")

    def lose_sandbox(self, bench: suite.Bench, uuid: str) -> None:
        raw(self.engine, "DELETE", f"/containers/zun-sandbox-{uuid}?force=1")

    def test_a_name_taken_by_a_stranger_is_an_error_and_stays_his(self, bench: suite.Bench) -> None:
        spec = SandboxSpec(uuid=suite.new_uuid(), network="none")
        bench.sandbox()  # so that the pause image is there
        taken = raw(self.engine, "POST", f"/containers/create?name=zun-sandbox-{spec.uuid}", {"Image": pause.REFERENCE})["Id"]
        with pytest.raises(errors.EngineError, match="already in use"):
            bench.runtime.ensure_sandbox(spec)
        raw(self.engine, "DELETE", f"/containers/{taken}")

    def test_nothing_is_left_of_a_removed_sandbox(self, bench: suite.Bench, deployment: str) -> None:
        sandbox = bench.sandbox(cpu=1.0, memory=64)
        bench.running(suite.STUBBORN, sandbox_uuid=sandbox)
        assert groups(f"zun-{deployment}/{sandbox}")
        bench.runtime.remove_sandbox(sandbox)
        assert not groups(f"zun-{deployment}/{sandbox}")
        assert raw(self.engine, "GET", "/volumes")["Volumes"] in (None, [])

    def test_what_a_container_had_written_outlives_its_sandbox_and_goes_with_the_container(self, bench: suite.Bench) -> None:
        keeping = suite.Bench(bench.runtime, load_busybox(self.engine.socket, "zun-keeping:latest", ("VOLUME /volume",)))
        images, sandbox = raw(self.engine, "GET", "/images/json"), bench.sandbox()
        uuid = keeping.running(suite.STUBBORN, sandbox_uuid=sandbox, environment={"A": "b"})
        for word in ("one", "two"):
            wrote = bench.runtime.execute(uuid, ["sh", "-c", f"echo {word} >> /kept; echo {word} >> /volume/kept"], timeout=10, limit=1000)
            assert wrote.exit_code == 0
            bench.runtime.stop(uuid, 0)
            self.lose_sandbox(bench, sandbox)
            bench.sandbox(uuid=sandbox)
            bench.runtime.start(uuid)
        read = bench.runtime.execute(uuid, ["sh", "-c", "cat /kept /volume/kept; echo $A"], timeout=10, limit=1000)
        assert read.output == b"one\ntwo\none\ntwo\nb\n"
        bench.runtime.remove(uuid)
        assert raw(self.engine, "GET", "/volumes")["Volumes"] in (None, [])
        assert {image["Id"] for image in raw(self.engine, "GET", "/images/json")} == {image["Id"] for image in images}

    def test_an_image_cannot_say_what_a_container_is_nor_what_goes_with_it(self, bench: suite.Bench) -> None:
        forged = {labels.KEPT: "image,precious", labels.CONTAINER: "c", labels.SANDBOX: "s", labels.REVISION: "7", labels.SCHEME: "2"}
        words = " ".join(f"{name}={value}" for name, value in forged.items())
        forging = suite.Bench(bench.runtime, load_busybox(self.engine.socket, "zun-forging:latest", (f"LABEL {words}",)))
        raw(self.engine, "POST", "/volumes/create", {"Name": "precious"})
        uuid = forging.created(suite.WAITS)
        assert bench.state(uuid).revision == 0
        bench.runtime.remove(uuid)
        assert bench.runtime.inspect(uuid) is None
        raw(self.engine, "DELETE", "/volumes/precious")

    @pytest.mark.parametrize("crash", ["/rename", "/containers/create", "DELETE /containers"])
    def test_a_container_that_was_being_made_anew_when_its_agent_died_loses_nothing(self, bench: suite.Bench, crash: str) -> None:
        uuid = bench.running(suite.STUBBORN)
        sandbox = bench.state(uuid).sandbox_uuid
        bench.runtime.execute(uuid, ["sh", "-c", "echo one > /kept"], timeout=10, limit=1000)
        bench.runtime.stop(uuid, 0)
        self.lose_sandbox(bench, sandbox)
        bench.sandbox(uuid=sandbox)
        http, call = bench.runtime._http, bench.runtime._http.call

        def dying(method: str, path: str, **given: object) -> object:
            if crash in f"{method} {path}":
                raise errors.EngineUnavailable(reason="the agent died")
            return call(method, path, **given)

        http.call = dying
        with pytest.raises(errors.EngineUnavailable):
            bench.runtime.start(uuid)
        http.call = call
        assert bench.runtime.start(uuid).state is EngineState.RUNNING
        assert bench.runtime.execute(uuid, ["cat", "/kept"], timeout=10, limit=1000).output == b"one\n"
        bench.runtime.remove(uuid)
        assert bench.runtime.inspect(uuid) is None
        assert len(bench.runtime.scan()) == 1

    def test_what_somebody_renamed_is_found_and_not_made_twice(self, bench: suite.Bench) -> None:
        spec = bench.spec(suite.WAITS)
        made, sandbox = bench.runtime.ensure_container(spec), bench.runtime.sandbox(spec.sandbox_uuid)
        for name in (f"zun-{spec.uuid}", f"zun-sandbox-{spec.sandbox_uuid}"):
            raw(self.engine, "POST", f"/containers/{name}/rename?name=renamed-{name}")
        assert bench.runtime.ensure_sandbox(SandboxSpec(uuid=spec.sandbox_uuid, network="none")) == sandbox
        assert bench.runtime.ensure_container(spec) == made
        assert len(bench.runtime.scan()) == 2

    def test_a_sandbox_that_somebody_paused_goes_on(self, bench: suite.Bench) -> None:
        spec = SandboxSpec(uuid=bench.sandbox(), network="none")
        raw(self.engine, "POST", f"/containers/zun-sandbox-{spec.uuid}/pause")
        assert bench.runtime.ensure_sandbox(spec).running
        assert raw(self.engine, "GET", f"/containers/zun-sandbox-{spec.uuid}/json")["State"]["Paused"] is False

    def test_what_is_made_says_whose_it_is(self, bench: suite.Bench, deployment: str) -> None:
        uuid = bench.created(suite.WAITS, labels={"tier": "web", labels.DEPLOYMENT: "forged"})
        made = raw(self.engine, "GET", f"/containers/zun-{uuid}/json")
        assert made["Config"]["Labels"][labels.DEPLOYMENT] == deployment
        assert made["Config"]["Labels"]["tier"] == "web"
        assert made["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")
        assert made["HostConfig"]["AutoRemove"] is False

    def test_a_container_is_limited_and_placed_as_asked(self, bench: suite.Bench, tmp_path: Path) -> None:
        tmp_path.joinpath("file").write_text("content\n")
        uuid = bench.running(
            ["sh", "-c", 'cat "$WHERE"; pwd; sleep 1000'],
            cpu=0.5,
            memory=64,
            environment={"WHERE": "/mnt/file"},
            workdir="/tmp",
            healthcheck={"test": "true", "interval": 60, "timeout": 2, "retries": 1},
            binds=[Bind(source=str(tmp_path), destination="/mnt", read_only=True)],
        )
        suite.eventually(lambda: bench.log(uuid) == b"content\n/tmp\n")
        made = raw(self.engine, "GET", f"/containers/zun-{uuid}/json")
        assert made["HostConfig"]["Memory"] == 64 << 20
        assert made["HostConfig"]["CpuShares"] == 512
        assert made["Config"]["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 60 * 10**9, "Timeout": 2 * 10**9, "Retries": 1}

    def test_the_pause_image_is_small(self, bench: suite.Bench) -> None:
        bench.sandbox()
        assert raw(self.engine, "GET", f"/images/{pause.REFERENCE}/json")["Size"] < 1 << 20


def groups(name: str) -> list[Path]:
    """A control group of ours in every hierarchy; the engines beside us make and remove others while we look, so not a deep search."""
    root = Path("/sys/fs/cgroup")
    return [path for path in (root / name, *(each / name for each in root.iterdir())) if path.is_dir()]


def raw(engine: Dockerd, method: str, path: str, body: object = None) -> dict:
    """What the engine itself says, the driver left aside."""
    http = DockerHttp(engine.socket, timeout=30)
    try:
        answer = http.call(method, path, body=body)
        assert answer.ok, answer.message
        return answer.data
    finally:
        http.close()


def test_an_engine_that_was_killed_tells_the_truth_when_it_is_back(own_dockerd: Dockerd) -> None:
    bench = suite.Bench(DockerRuntime(own_dockerd.socket, "cloud"), load_busybox(own_dockerd.socket))
    sandbox = bench.sandbox()
    uuid = bench.running(suite.STUBBORN, sandbox_uuid=sandbox)
    own_dockerd.kill()
    with pytest.raises(errors.EngineUnavailable):
        bench.runtime.inspect(uuid)
    own_dockerd.start()
    bench.sandbox(uuid=sandbox)
    assert bench.runtime.start(uuid).state is EngineState.RUNNING
    assert bench.runtime.top(uuid).processes
    bench.runtime.remove_sandbox(sandbox)
    assert bench.runtime.scan() == []
    bench.runtime.close()


def test_an_engine_that_goes_away_and_comes_back(own_dockerd: Dockerd) -> None:
    runtime, spec = DockerRuntime(own_dockerd.socket, "cloud"), SandboxSpec(uuid=suite.new_uuid(), network="none")
    assert runtime.ensure_sandbox(spec).running
    lost: list[Exception] = []

    def listen() -> None:
        try:
            for _ in runtime.events():
                pass
        except errors.EngineUnavailable as error:
            lost.append(error)

    listener = threading.Thread(target=listen)
    listener.start()
    own_dockerd.stop()
    listener.join(30)
    assert lost
    with pytest.raises(errors.EngineUnavailable):
        runtime.scan()
    own_dockerd.start()
    assert [seen.sandbox_uuid for seen in runtime.scan()] == [spec.uuid]
    assert runtime.ensure_sandbox(spec).running
    runtime.remove_sandbox(spec.uuid)
    runtime.close()


def test_an_image_is_pulled_from_a_registry(dockerd: Dockerd, image_reference: str, registry: str) -> None:
    reference = f"{registry}/team/web:1"
    raw(dockerd, "POST", f"/images/{image_reference}/tag?repo={registry}/team/web&tag=1")
    http = DockerHttp(dockerd.socket, timeout=30)
    with http.stream("POST", f"/images/{registry}/team/web/push?tag=1", headers={"X-Registry-Auth": "e30="}) as pushed:
        assert b"error" not in b"".join(pushed.lines())
    http.close()
    runtime = DockerRuntime(dockerd.socket, "cloud")
    held = runtime.image(reference)
    raw(dockerd, "DELETE", f"/images/{reference}")
    assert runtime.image(reference) is None
    told: list[Progress] = []
    assert runtime.pull(reference, None, told.append) == held
    assert any("team/web" in each.what for each in told)
    assert held is not None and held.digests[f"{registry}/team/web"].startswith("sha256:") and held.size > 1 << 19
    with pytest.raises(errors.ImagePullFailed, match="no-such-tag"):
        runtime.pull(f"{registry}/team/web:no-such-tag")
    with pytest.raises(Cancel):
        runtime.pull(reference, None, give_up)
    raw(dockerd, "DELETE", f"/images/{reference}")
    runtime.close()


class Cancel(Exception):
    pass


def give_up(told: Progress) -> None:
    raise Cancel(told.what)


def test_no_engine_at_all(tmp_path: Path) -> None:
    runtime = DockerRuntime(str(tmp_path / "nothing.sock"), "cloud")
    with pytest.raises(errors.EngineUnavailable):
        runtime.scan()


def test_a_push_gives_the_registry_an_image_and_nobody_here_another_one(dockerd: Dockerd, image_reference: str, registry: str) -> None:
    target = f"{registry}/team/pushed:1"
    runtime = DockerRuntime(dockerd.socket, "cloud")
    bench = suite.Bench(runtime, image_reference)
    # Somebody else's image has the name already, here and in the registry.
    raw(dockerd, "POST", f"/images/{image_reference}/tag?repo={registry}/team/pushed&tag=1")
    before = runtime.image(target)
    uuid = bench.running(["sh", "-c", "echo mine > /mine; sleep 1000"])
    suite.eventually(lambda: runtime.execute(uuid, ["cat", "/mine"], timeout=5, limit=100).output == b"mine\n")
    made = runtime.commit(uuid, own_name(uuid))
    labelled = raw(dockerd, "GET", f"/images/{own_name(uuid)}/json")["Config"]["Labels"]
    assert {labelled[name] for name in labelled if name.startswith(labels.PREFIX)} == {""}
    seen: list[object] = []

    def look(told: Progress) -> None:
        seen.append(runtime.image(target))

    digest = runtime.push(own_name(uuid), target, None, look)
    assert seen and all(each == before for each in seen), "while it is under way the name means what it meant"
    assert runtime.image(target) == before
    raw(dockerd, "DELETE", f"/images/{target}")
    pulled = runtime.pull(target)
    assert (pulled.id, pulled.digests[f"{registry}/team/pushed"]) == (made.id, digest)
    runtime.remove_sandbox(runtime.inspect(uuid).sandbox_uuid)
    for name in (target, own_name(uuid)):
        runtime.remove_image(name)
    assert runtime.image(target) is None
    runtime.close()
