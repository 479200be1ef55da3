"""Archives that try to lead out of the container they are put into: each member ends within it or is refused, and so does what is read."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.service.aio import Aio

#: what nobody in a container may ever see, and a name that nothing else has
SECRET, MARK = b"of the host only\n", "zun-escaped"
UP = "../" * 30


class Box:
    """A container, a folder of the host that it must not reach, and a file in that."""

    def __init__(self, service: Aio, folder: Path) -> None:
        self.service, self.folder = service, folder
        self.secret = folder / "secret"
        self.secret.write_bytes(SECRET)
        self.uuid = service.create()
        service.wait(self.uuid, "Running")

    def put(self, *members: tuple[tarfile.TarInfo, bytes], path: str = "/root") -> requests.Response:
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w") as archive:
            for member, content in members:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        data = base64.b64encode(whole.getvalue()).decode()
        return self.service.post(f"/containers/{self.uuid}/put_archive", params={"path": path}, json={"data": data})

    def run(self, command: str) -> str:
        return str(self.service.post(f"/containers/{self.uuid}/execute", params={"command": command}).json()["output"])

    def get(self, path: str) -> requests.Response:
        return self.service.get(f"/containers/{self.uuid}/get_archive", params={"path": path})

    def inside(self) -> list[str]:
        """Where the mark is in the container."""
        return [line for line in self.run(f"find / -xdev -name '{MARK}*'").splitlines() if line.startswith("/")]

    def outside(self) -> list[Path]:
        """Where it is in the folder and in the places of the host that the archives aim at."""
        near = [*self.folder.rglob(f"{MARK}*"), Path("/", MARK), Path("/tmp", MARK), Path("/root", MARK)]
        return [place for place in near if place.exists()]


@pytest.fixture
def box(service: Aio, tmp_path: Path) -> Iterator[Box]:
    made = Box(service, tmp_path)
    yield made
    service.delete(f"/containers/{made.uuid}", params={"force": True})
    service.wait_gone(made.uuid)


def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "", **more: Any) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode = kind, to, 0o755
    for key, value in more.items():
        setattr(found, key, value)
    return found


def settled(box: Box, answer: requests.Response) -> bool:
    """Whether it was taken. Nothing is on the host; what was taken is in the container; what was refused is refused in words."""
    assert box.outside() == []
    assert box.secret.read_bytes() == SECRET
    if answer.status_code == 200:
        return True
    assert answer.status_code == 400, answer.text
    detail = answer.json()["errors"][0]["detail"]
    assert "archive" in detail or detail.startswith("There is no"), detail
    return False


@pytest.mark.parametrize(
    "name", [f"{UP}{MARK}", f"{UP}tmp/{MARK}", f"/{MARK}", f"/tmp/{MARK}", f"a/b/{UP}{MARK}", f"./../root/../{UP}tmp/{MARK}"]
)
def test_a_name_that_leads_out_ends_inside_or_is_refused(box: Box, name: str) -> None:
    if settled(box, box.put((member(name), b"out"))):
        assert len(box.inside()) == 1
    else:
        assert box.inside() == []


@pytest.mark.parametrize("to", ["/tmp", "/", UP, f"{UP}tmp", "{folder}", f"{UP}{{folder}}"])
def test_a_way_through_a_link_ends_inside_or_is_refused(box: Box, to: str) -> None:
    link = member("out", tarfile.SYMTYPE, to.format(folder=box.folder))
    if settled(box, box.put((link, b""), (member(f"out/{MARK}"), b"through"))):
        for place in box.inside():
            assert box.run(f"cat {place}") == "through"
    # the link is there by now: another archive goes that way, and one whose path is the link
    settled(box, box.put((member(f"out/{MARK}"), b"later")))
    settled(box, box.put((member(MARK), b"by the path"), path="/root/out"))
    settled(box, box.put((member(f"deeper/{MARK}"), b"by the path"), path="/root/out/../../.."))


@pytest.mark.parametrize("to", ["{secret}", f"{UP}{{secret}}", "/etc/hostname"])
def test_a_link_to_a_file_is_to_one_of_the_container(box: Box, to: str) -> None:
    wanted = to.format(secret=box.secret)
    for kind in (tarfile.LNKTYPE, tarfile.SYMTYPE):
        settled(box, box.put((member(f"{MARK}-link", kind, wanted), b"")))
        assert SECRET.decode() not in box.run(f"cat /root/{MARK}-link")
        got = box.get(f"/root/{MARK}-link")
        if got.status_code == 200:
            assert SECRET not in base64.b64decode(got.json()["data"])
        # what is written through it is written in the container
        settled(box, box.put((member(f"{MARK}-link"), b"overwritten")))
        assert box.secret.read_bytes() == SECRET
        box.run(f"rm -f /root/{MARK}-link")


def test_a_device_is_refused_or_of_no_use(box: Box) -> None:
    disk = member(f"{MARK}-disk", tarfile.BLKTYPE, devmajor=8, devminor=0)
    memory = member(f"{MARK}-memory", tarfile.CHRTYPE, devmajor=1, devminor=1)
    settled(box, box.put((disk, b""), (memory, b"")))
    for name in ("disk", "memory"):
        told = box.run(f"dd if=/root/{MARK}-{name} of=/root/read bs=512 count=1")
        assert "can't open" in told or "not permitted" in told or "No such" in told, told
        assert "records out" not in told


def test_owners_and_modes_are_those_of_the_container_alone(box: Box) -> None:
    program = member(MARK, uid=0, gid=0)
    program.mode = 0o6755
    assert settled(box, box.put((program, b"#!/bin/sh\n")))
    assert box.inside() == [f"/root/{MARK}"]


@pytest.mark.parametrize("path", [f"{UP}{{secret}}", "{secret}", "/proc/1/root{secret}", "/root/way/secret", f"/root/{UP}{{secret}}"])
def test_what_is_read_is_never_the_host_s(box: Box, path: str) -> None:
    settled(box, box.put((member("way", tarfile.SYMTYPE, str(box.folder)), b"")))
    answer = box.get(path.format(secret=box.secret))
    if answer.status_code == 200:
        assert SECRET not in base64.b64decode(answer.json()["data"])
    else:
        assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("path", [f"/root/{UP}tmp", "/root/../../../tmp", "/tmp/.", "//tmp//"])
def test_a_path_with_dots_is_one_of_the_container(box: Box, path: str) -> None:
    assert settled(box, box.put((member(MARK), b"here"), path=path))
    assert box.inside() == [f"/tmp/{MARK}"]
