"""What ends a cloud leaves nothing of it on the machine, however it came to its end. A small one: nodes, wires, an engine at work."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloud import daemons, fabric, nodes, remains, world
from cloud.services import docker
from cloud.world import World
from tests.cloud.networks import soon
from tests.engines import absent
from tests.images import load_busybox
from tools import processes
from zun.drivers.runtime.docker_http import DockerHttp


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if os.geteuid() != 0:
        absent("namespaces need root")
    for program in ("dockerd", "ip", "nsenter", "losetup", "ethtool"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            pytest.skip(f"{program} is not installed; 'make cloud' installs it")
    folder = tmp_path_factory.mktemp("cl")
    yield folder
    remains.clear(folder)


def machine() -> dict[str, list[str]]:
    """What programs like these leave behind on a machine, wherever they were told to put their files."""
    folders = (
        "/etc",
        "/opt",
        "/run/netns",
        "/etc/docker",
        "/opt/containerd",
        "/etc/openvswitch",
        "/var/lib/openvswitch",
        "/var/lib/rabbitmq",
    )
    return {folder: sorted(os.listdir(folder)) if os.path.isdir(folder) else [] for folder in folders}  # noqa: PTH112, PTH208


@pytest.fixture
def before() -> dict[str, list[str]]:
    """The machine before there was a cloud."""
    return machine()


@pytest.fixture
def small(home: Path, before: dict[str, list[str]]) -> World:
    """A cloud with a container on a host and a volume's loop device, as far as that needs no service."""
    cloud = world.begin(home)
    daemons.shim(cloud)
    fabric.make(cloud)
    host = cloud.node("host-a")
    docker.start(cloud, host)
    engine = DockerHttp(str(cloud.engine(host.name)), timeout=60)
    image = load_busybox(str(cloud.engine(host.name)))
    created = engine.call("POST", "/containers/create", body={"Image": image, "Cmd": ["sleep", "3600"], "NetworkDisabled": True})
    assert engine.call("POST", f"/containers/{created.data['Id']}/start").ok
    engine.close()
    file = cloud.folder / "volume"
    with file.open("wb") as volume:
        volume.truncate(1 << 20)
    host.run("losetup", "--find", str(file))
    return cloud


def _kill_nothing(cloud: World) -> None:
    """It is in the best of health."""


def _kill_the_nodes(cloud: World) -> None:
    processes.kill(nodes.inits_below(cloud.folder))


def _kill_every_daemon(cloud: World) -> None:
    host = cloud.node("host-a")
    processes.kill([number for number in daemons.members(host) if number != host.init])


def _lose_the_memory(cloud: World) -> None:
    for file in ("world.json", "nodes"):
        path = cloud.folder / file
        if path.is_dir():
            remains.machine.unmount_below(path)
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


@pytest.mark.parametrize("harm", [_kill_nothing, _kill_the_nodes, _kill_every_daemon, _lose_the_memory])
def test_nothing_is_left(home: Path, before: dict[str, list[str]], small: World, harm: Callable[[World], None]) -> None:
    assert any(word.startswith("interface") for word in remains.found(home))
    assert any(word.startswith("loop device") for word in remains.found(home))
    harm(small)
    remains.clear(home)
    assert remains.found(home) == []
    assert _sleepers() == []
    assert machine() == before


def test_it_comes_up_again_where_it_was_killed(home: Path, small: World) -> None:
    _kill_the_nodes(small)
    assert fabric.make(small)
    assert docker.start(small, small.node("host-a"))
    assert not fabric.make(small)
    assert not docker.start(small, small.node("host-a"))
    assert small.controller.run("ping", "-c", "1", "-W", "5", small.node("host-a").address)


def test_an_engine_that_was_killed_finds_its_containers_running(small: World) -> None:
    host = small.node("host-a")
    # The engine calls it started a moment before it is called so.
    assert soon(lambda: bool(host.run("pgrep", "-f", "^sleep 3600", check=False)), True)
    running = host.run("pgrep", "-f", "^sleep 3600")
    number = daemons.pid(host, "docker")
    assert number is not None
    processes.kill([number])
    assert docker.start(small, host)
    engine = DockerHttp(str(small.engine(host.name)), timeout=60)
    try:
        (container,) = engine.call("GET", "/containers/json").data
        assert engine.call("GET", f"/containers/{container['Id']}/json").data["State"]["Pid"] == int(running)
    finally:
        engine.close()


def test_two_clouds_do_not_know_each_other(home: Path, small: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    second = tmp_path_factory.mktemp("cl")
    try:
        other = world.begin(second)
        fabric.make(other)
        assert {other.management, other.public}.isdisjoint({small.management, small.public})
    finally:
        remains.clear(second)
    assert small.node("host-a").init is not None
    assert daemons.pid(small.node("host-a"), "docker") is not None


def test_a_node_is_a_machine_of_its_own(small: World) -> None:
    first, second = small.hosts
    assert (first.run("hostname"), second.run("hostname")) == ("host-a\n", "host-b\n")
    assert "mgmt0" in first.run("ls", "/sys/class/net")
    assert "eth0" not in first.run("ls", "/sys/class/net")
    assert "dockerd" in first.run("ps", "ax")
    assert "dockerd" not in second.run("ps", "ax")
    first.run("sh", "-c", "mkdir /etc/test-of-zun /opt/test-of-zun")
    assert "test-of-zun" not in second.run("ls", "/etc", "/opt")
    assert not Path("/etc/test-of-zun").exists()
    first.run("ip", "netns", "add", "test")
    assert "test" not in second.run("ip", "netns")
    assert not Path("/run/netns/test").exists()
    assert second.run("ping", "-c", "1", "-W", "5", "host-a")


def _sleepers() -> list[str]:
    """Processes of containers that outlived their engine."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if line.split()[1:] == ["1", "sleep", "3600"]]
