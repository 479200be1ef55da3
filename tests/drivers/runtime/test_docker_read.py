"""What Docker's answers are taken to mean."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zun.domain.lifecycle import EngineState
from zun.drivers.runtime import docker_read, labels
from zun.drivers.runtime.docker_host import disk_quota
from zun.drivers.runtime.docker_spec import limits
from zun.interfaces.runtime import EngineImage

E = EngineState


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        ("2026-11-23T07:03:33.988895544Z", datetime(2026, 11, 23, 7, 3, 33, 988895)),
        ("2026-11-23T07:03:33Z", datetime(2026, 11, 23, 7, 3, 33)),
        ("2026-11-23T07:03:33.5Z", datetime(2026, 11, 23, 7, 3, 33, 500000)),
        ("2026-11-23T09:03:33.5+02:00", datetime(2026, 11, 23, 7, 3, 33, 500000)),
        ("2026-11-23T02:03:33-05:00", datetime(2026, 11, 23, 7, 3, 33)),
    ],
)
def test_times_are_utc_to_the_microsecond(text: str, at: datetime | None) -> None:
    assert docker_read.moment(text) == at


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=10), st.data())
def test_a_multiplexed_stream_is_taken_apart_however_it_was_cut(frames: list[tuple[int, bytes]], data: st.DataObject) -> None:
    whole = b"".join(bytes((stream, 0, 0, 0)) + len(content).to_bytes(4, "big") + content for stream, content in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert b"".join(docker_read.payloads(pieces)) == b"".join(content for _, content in frames)


def inspected(**state: Any) -> dict[str, Any]:
    never = "0001-01-01T00:00:00Z"
    marked = labels.write("cloud", labels.Mark("s", "c", 2))
    return {
        "Id": "e",
        "Config": {"Labels": marked},
        "State": {"StartedAt": never, "FinishedAt": never, "ExitCode": 0, "Error": "", **state},
    }


@pytest.mark.parametrize(
    ("word", "state"),
    [
        *(("created", E.CREATED), ("running", E.RUNNING), ("paused", E.PAUSED), ("restarting", E.RESTARTING), ("exited", E.EXITED)),
        *(("dead", E.DEAD), ("removing", E.DEAD), ("a word of tomorrow", E.UNKNOWN)),
    ],
)
def test_every_word_of_docker_has_its_state(word: str, state: EngineState) -> None:
    assert docker_read.container("c", inspected(Status=word)).state is state


def test_what_lives_has_neither_exit_code_nor_end() -> None:
    shown = docker_read.container("c", inspected(Status="running", StartedAt="2026-01-02T00:00:00Z", FinishedAt="2026-01-01T00:00:00Z"))
    assert (shown.revision, shown.sandbox_uuid, shown.exit_code, shown.finished_at, shown.error) == (2, "s", None, None, None)
    assert shown.started_at == datetime(2026, 1, 2)


def test_an_end_is_never_before_its_beginning() -> None:
    shown = docker_read.container("c", inspected(Status="exited", StartedAt="2026-01-02T00:00:01Z", FinishedAt="2026-01-02T00:00:00.9Z"))
    assert shown.finished_at == shown.started_at == datetime(2026, 1, 2, 0, 0, 1)


@pytest.mark.parametrize(
    ("driver", "filesystem", "mount", "quota"),
    [
        ("overlay2", "xfs", "rw,prjquota", True),
        ("overlay2", "xfs", "rw,noquota", False),
        ("overlay2", "extfs", "rw,prjquota", False),
        ("overlayfs", "xfs", "rw,prjquota", False),
        ("btrfs", "", "rw", True),
        ("vfs", "", "rw", False),
    ],
)
def test_a_disk_can_be_limited_only_where_the_kernel_can(driver: str, filesystem: str, mount: str, quota: bool) -> None:
    info = {"Driver": driver, "DriverStatus": [["Backing Filesystem", filesystem]], "DockerRootDir": "/var/lib/docker"}
    mounts = (
        f"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 / /var/lib rw - xfs /dev/b {mount}\n3 1 8:3 / /var/library rw - xfs /dev/c rw,pquota\n"
    )
    assert disk_quota(info, mounts) is quota


@pytest.mark.parametrize(("memory_swap", "together"), [(-1, -1), (0, 128 << 20), (256, 256 << 20), (1, 64 << 20)])
def test_swap_is_never_less_than_memory(memory_swap: int, together: int) -> None:
    assert limits(None, 64, memory_swap) == {"Memory": 64 << 20, "MemorySwap": together}


def test_an_image_and_a_sandbox_of_docker_29_are_read_without_what_it_left_out() -> None:
    """Of API 1.52: no addresses at the top level, no fields of an image's configuration that are not set, no ``VirtualSize``."""
    assert docker_read.image({"Id": "sha256:1", "Config": {}, "Architecture": "amd64"}) == EngineImage(id="sha256:1", architecture="amd64")
    network = {"IPAddress": "172.17.0.2", "GlobalIPv6Address": "", "EndpointID": "e", "NetworkID": "n", "DNSNames": None}
    shown = docker_read.sandbox(
        "s",
        {
            "Id": "i",
            "Config": {"Hostname": "h"},
            "State": {"Running": True, "Pid": 7},
            "NetworkSettings": {"Ports": {}, "Networks": {"bridge": network}},
        },
    )
    assert [address["addr"] for address in shown.addresses["bridge"]] == ["172.17.0.2"]
    assert shown.netns == "/proc/7/ns/net"


def test_news_of_docker_29_are_read_without_the_old_names() -> None:
    marks = labels.write("cloud", labels.Mark("s", "c", 0))
    told = docker_read.event({"Type": "container", "Action": "die", "Actor": {"ID": "i", "Attributes": marks}, "timeNano": 1_500_000_000})
    assert told is not None
    assert (told.sandbox_uuid, told.container_uuid, told.what, told.at) == ("s", "c", "die", datetime(1970, 1, 1, 0, 0, 1, 500_000))


def test_labels_are_read_as_written_and_a_foreign_scheme_is_not_ours() -> None:
    mark = labels.Mark("s", None, 0)
    written = labels.write("cloud", mark, {"a": "b", "org.openstack.zun.container": "forged"})
    assert labels.read(written) == mark
    assert written["a"] == "b"
    assert labels.read({**written, labels.SCHEME: "2"}) is None
    assert labels.read({}) is None
    assert labels.read({**written, labels.SANDBOX: "../../etc"}) is None
    assert labels.read({**written, labels.CONTAINER: ""}) is None
    assert labels.read({**written, labels.REVISION: "1" * 5000}) is None
    with pytest.raises(ValueError, match="deployment"):
        labels.checked("../etc")
