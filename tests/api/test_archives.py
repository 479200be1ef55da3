"""Archives over a socket: pieces that Base64 does not divide, text that is none, Base64 that has no end."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Iterator

import pytest

from tests.archives import tar
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


# -- bounds --------------------------------------------------------------------------------------------

LARGEST, LARGEST_BODY = 20_480, 30_000


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that moves small archives only."""
    settings = f"[api]\nmax_archive_size = {LARGEST}\nmax_archive_body_size = {LARGEST_BODY}\n"
    made = Served(tmp_path_factory.mktemp("narrow"), settings=settings)
    made.start()
    yield made
    made.stop()


def test_an_archive_is_answered_up_to_the_size_that_is_configured_and_no_larger(narrow: Served) -> None:
    box = narrow.container()
    files = thing(narrow, box).files
    for size, status in ((LARGEST // 2, 200), (LARGEST + 1, 400)):
        files["/root/file"] = bytes(size)
        answer = narrow.ask("GET", f"/containers/{box}/get_archive?path=/root/file", at="1.40")
        assert answer.status_code == status, answer.text[:300]
    assert answer.json()["errors"][0]["code"] == "container.archive-too-large"


@pytest.mark.parametrize("chunked", [False, True])
def test_an_archive_is_taken_up_to_the_size_that_is_configured_and_a_larger_one_changes_nothing(narrow: Served, chunked: bool) -> None:
    box = narrow.container()
    before = dict(thing(narrow, box).files)
    whole = json.dumps({"data": base64.b64encode(bytes(LARGEST_BODY)).decode()}).encode()
    data = iter([whole[:20_000], whole[20_000:]]) if chunked else whole
    headers = {"Content-Type": "application/json"}
    answer = narrow.ask("POST", f"/containers/{box}/put_archive?path=/root", at="1.40", data=data, headers=headers)
    assert answer.status_code == 413, answer.text[:300]
    assert thing(narrow, box).files == before
    kept = json.dumps({"data": base64.b64encode(tar("letter", b"dear\n")).decode()})
    assert len(kept) < LARGEST_BODY
    assert narrow.ask("POST", f"/containers/{box}/put_archive?path=/root", at="1.40", data=kept, headers=headers).status_code == 200
    assert thing(narrow, box).files["/root/letter"] == b"dear\n"
