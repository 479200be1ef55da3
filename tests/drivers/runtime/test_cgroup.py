"""Control groups of both versions, on directories that look like them."""

from __future__ import annotations

from pathlib import Path

import pytest

from zun.drivers.runtime.cgroup import SandboxGroups, weight
from zun.drivers.runtime.usage import measure, net_counters

NET_DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0
  eth0: 100 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0
  eth1:5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
"""


@pytest.fixture
def unified(tmp_path: Path) -> Path:
    root = tmp_path / "cgroup"
    root.mkdir()
    root.joinpath("cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    return root


def test_version_2_gets_its_limits(unified: Path) -> None:
    groups = SandboxGroups("cloud", unified)
    assert groups.usable()
    for _ in range(2):
        assert groups.ensure("s", cpu=2.0, memory=64) == "/zun-cloud/s"
    group = unified / "zun-cloud" / "s"
    assert group.joinpath("memory.max").read_text() == str(64 << 20)
    assert group.joinpath("cpu.weight").read_text() == str(weight(2.0))
    assert unified.joinpath("cgroup.subtree_control").read_text() == "+cpu +memory"


def test_version_1_gets_its_limits(tmp_path: Path) -> None:
    for controller in ("cpu", "memory"):
        tmp_path.joinpath(controller).mkdir()
    groups = SandboxGroups("cloud", tmp_path)
    assert groups.usable()
    groups.ensure("s", cpu=0.5, memory=64)
    assert tmp_path.joinpath("cpu/zun-cloud/s/cpu.shares").read_text() == "512"
    assert tmp_path.joinpath("memory/zun-cloud/s/memory.limit_in_bytes").read_text() == str(64 << 20)


def test_groups_that_the_engine_added_go_too_and_none_is_success(tmp_path: Path) -> None:
    for controller in ("cpu", "memory", "blkio"):
        tmp_path.joinpath(controller, "zun-cloud", "s", "container").mkdir(parents=True)
    groups = SandboxGroups("cloud", tmp_path)
    for _ in range(2):
        groups.remove("s")
    assert not list(tmp_path.glob("*/zun-cloud/s"))


def test_without_controllers_there_are_no_limits(tmp_path: Path) -> None:
    assert not SandboxGroups("cloud", tmp_path).usable()
    assert not SandboxGroups("cloud", tmp_path / "nothing").usable()


@pytest.mark.parametrize(("cores", "expected"), [(0.001, 1), (1.0, 39), (256.0, 10000), (1000.0, 10000)])
def test_weights_are_within_the_kernels_bounds(cores: float, expected: int) -> None:
    assert weight(cores) == expected


def test_counters_leave_the_loopback_out() -> None:
    assert net_counters(NET_DEV) == (105, 27)


def test_use_is_read_on_version_2_and_the_smallest_limit_around_holds(unified: Path, tmp_path: Path) -> None:
    group = unified / "zun-cloud" / "s" / "container"
    group.mkdir(parents=True)
    files = {
        "cpu.stat": "usage_usec 5000\nuser_usec 1\n",
        "memory.current": "3000\n",
        "memory.stat": "anon 1\ninactive_file 1000\n",
        "memory.max": "max\n",
        "io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=1\n8:16 rbytes=1 wbytes=2\n",
    }
    for name, content in files.items():
        group.joinpath(name).write_text(content)
    group.parent.joinpath("memory.max").write_text("8000\n")
    proc = tmp_path / "proc" / "7"
    proc.joinpath("net").mkdir(parents=True)
    proc.joinpath("net/dev").write_text(NET_DEV)
    proc.joinpath("cgroup").write_text("0::/zun-cloud/s/container\n")
    tmp_path.joinpath("proc/meminfo").write_text("MemTotal:  100 kB\n")
    found = measure(7, unified, tmp_path / "proc")
    assert (found.memory_used, found.memory_limit) == (2000, 8000)
    assert (found.block_read, found.block_written) == (11, 22)
    assert (found.net_received, found.net_sent) == (105, 27)
    assert found.cpu_percent == 0.0
