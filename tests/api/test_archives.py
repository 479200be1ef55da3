"""Archives over a socket: pieces that Base64 does not divide, text that is none, Base64 that has no end."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Iterator

import pytest

from tests.served import Served
from zun.drivers.runtime.fake_engine import Thing


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("archives"))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def box(cloud: Served) -> str:
    return cloud.container()


def thing(cloud: Served, uuid: str) -> Thing:
    return next(each for each in cloud.engine.things.values() if each.container_uuid == uuid)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 200_001])
def test_what_comes_in_several_pieces_is_one_archive(cloud: Served, box: str, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    thing(cloud, box).files["/root/large"] = content
    answer = cloud.ask("GET", f"/containers/{box}/get_archive?path=/root/large", at="1.40")
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(answer.json()["data"], validate=True))) as archive:
        file = archive.extractfile("large")
        assert file is not None and file.read() == content


@pytest.mark.parametrize("end", [b"\xff", b"\xc3", b"\xe2\x82"])
def test_what_is_no_text_is_refused_before_1_25(cloud: Served, box: str, end: bytes) -> None:
    thing(cloud, box).files["/root/odd"] = b"x" * 600 + end
    answer = cloud.ask("GET", f"/containers/{box}/get_archive?path=/root/odd", at="1.24")
    assert (answer.status_code, "'path'" in answer.text) == (400, True)
    thing(cloud, box).files["/root/odd"] = "grüße €".encode()
    assert "grüße €" in cloud.ask("GET", f"/containers/{box}/get_archive?path=/root/odd", at="1.24").json()["data"]


@pytest.mark.parametrize("data", ["A", "QQ", "QUF", "QUFBQ", "QUE=QUFB", "QUFB=", "====", "QU-B", "QUFB\u00e9", "QUFB\\"])
def test_what_is_no_whole_base64_changes_nothing(cloud: Served, box: str, data: str) -> None:
    before = dict(thing(cloud, box).files)
    answer = cloud.ask("POST", f"/containers/{box}/put_archive?path=/root", at="1.40", json={"data": data})
    assert (answer.status_code, "'data'" in answer.text) == (400, True), answer.text
    assert thing(cloud, box).files == before


def test_blanks_in_base64_do_not_count_wherever_they_are(cloud: Served, box: str) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        member = tarfile.TarInfo("letter")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"dear\n"))
    broken = "\n".join(base64.b64encode(whole.getvalue()).decode()[at : at + 61] for at in range(0, 14_000, 61))
    sent = json.dumps({"data": f" {broken}\r\n"})
    answer = cloud.ask(
        "POST", f"/containers/{box}/put_archive?path=/root", at="1.40", data=sent, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    assert thing(cloud, box).files["/root/letter"] == b"dear\n"
