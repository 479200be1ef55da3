"""Files in and out of containers over HTTP, with a real engine: large, broken, hostile, by the official client."""

import base64
import io
import json
import tarfile
import threading
from pathlib import Path

import pytest
import requests

from tests.service.aio import PATIENCE, eventually
from zun.drivers.runtime.docker_http import DockerHttp
from zun.drivers.runtime.pause import image as pause

GIB = 1 << 30
#: what the service may grow by while a GiB goes through it
GROWTH = 64 << 20


@pytest.fixture
def box(service):
    uuid = service.create()
    service.wait(uuid, "Running")
    yield uuid
    service.delete(f"/containers/{uuid}", params={"force": True})
    service.wait_gone(uuid)


def tar(**files):
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def put(service, uuid, data, path="/root", version="1.40"):
    return service.post(f"/containers/{uuid}/put_archive", version=version, params={"path": path}, json={"data": data})


def run(service, uuid, command):
    return service.post(f"/containers/{uuid}/execute", params={"command": command}).json()["output"]


def of_nothing_but_a_program(engine):
    """An image with one static program in it that waits for ever: no shell, no tar, no library."""
    http = DockerHttp(engine.socket, timeout=30)
    try:
        member = tarfile.TarInfo("program")
        content = pause.binary(http.engine().architecture)
        member.size, member.mode = len(content), 0o755
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w") as archive:
            archive.addfile(member, io.BytesIO(content))
        query = {"fromSrc": "-", "repo": "nothing-else", "tag": "1", "changes": 'CMD ["/program"]'}
        made = http.call("POST", "/images/create", query=query, body=whole.getvalue())
        assert made.ok, made.message
    finally:
        http.close()
    return "nothing-else:1"


def resident(service):
    """Bytes of memory that the service has, at its most so far."""
    status = Path(f"/proc/{service._process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) << 10


@pytest.mark.parametrize("version", ["1.24", "1.40"])
def test_what_is_put_is_got(service, box, version):
    data = tar(one="grüße\n".encode() * 50_000)
    told = base64.b64encode(data).decode() if version == "1.40" else data.decode()
    assert put(service, box, told, version=version).json() is None
    answer = service.get(f"/containers/{box}/get_archive", version=version, params={"path": "/root/one"}).json()
    got = base64.b64decode(answer["data"]) if version == "1.40" else answer["data"].encode()
    with tarfile.open(fileobj=io.BytesIO(got)) as archive:
        assert archive.extractfile("one").read() == "grüße\n".encode() * 50_000
    assert (answer["stat"]["name"], answer["stat"]["size"]) == ("one", 400_000)


@pytest.mark.parametrize("verb", [None, "stop"])
def test_an_image_without_a_shell_or_tar_has_its_files_in_and_out(service, verb):
    uuid = service.create("/program", image=of_nothing_but_a_program(service.engine))
    service.wait(uuid, "Running")
    try:
        assert service.post(f"/containers/{uuid}/execute", params={"command": "sh"}).json().get("exit_code") != 0, "it has no shell"
        if verb:
            service.post(f"/containers/{uuid}/{verb}", params={"timeout": 0})
            service.wait(uuid, "Stopped")
        assert put(service, uuid, base64.b64encode(tar(letter=b"dear program\n")).decode(), path="/").status_code == 200
        answer = service.get(f"/containers/{uuid}/get_archive", params={"path": "/letter"}).json()
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(answer["data"]))) as archive:
            assert archive.extractfile("letter").read() == b"dear program\n"
        assert answer["stat"]["size"] == 13
    finally:
        service.delete(f"/containers/{uuid}", params={"force": True})
        service.wait_gone(uuid)


def test_a_gibibyte_goes_in_and_out_in_constant_memory(own_service):
    service = own_service
    uuid = service.create()
    service.wait(uuid, "Running")
    member = tarfile.TarInfo("big")
    member.size = GIB
    zeros = base64.b64encode(bytes(3 << 20))

    def body():
        """The JSON of a tar with a GiB of zeros in it; its parts are multiples of three bytes but for the last."""
        yield b'{"data": "'
        header, left = member.tobuf() + bytes(1), GIB - 1 + 1024
        yield base64.b64encode(header)
        for _ in range(left // (3 << 20)):
            yield zeros
        yield base64.b64encode(bytes(left % (3 << 20))) + b'"}'

    before = resident(service)
    answer = service.post(
        f"/containers/{uuid}/put_archive", params={"path": "/root"}, data=body(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    assert run(service, uuid, "wc -c /root/big").split()[0] == str(GIB)
    size = 0
    with service.get(f"/containers/{uuid}/get_archive", params={"path": "/root/big"}, stream=True) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_content(1 << 20):
            size += len(piece)
        last = piece
    assert size > GIB * 4 // 3
    assert last.endswith(b'"}')
    growth = resident(service) - before
    print(f"a GiB in and out: the service grew by {growth >> 20} MiB")
    assert growth < GROWTH


def test_a_body_that_is_broken_at_its_end_changes_nothing(service, box):
    data = base64.b64encode(tar(broken=bytes(20 << 20)))
    for end in (b"", b'"', b'!"}', b'"}}'):
        answer = service.post(
            f"/containers/{box}/put_archive",
            params={"path": "/root"},
            data=b'{"data": "' + data + end,
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 400, answer.text
    assert "broken" not in run(service, box, "ls /root")


def test_a_client_that_hangs_up_half_way_leaves_nothing_behind(service, box):
    run(service, box, "dd if=/dev/zero of=/root/big bs=1M count=0 seek=300")
    for _ in range(6):  # more than may move at a time
        with service.get(f"/containers/{box}/get_archive", params={"path": "/root/big"}, stream=True) as answer:
            assert answer.status_code == 200
            next(answer.iter_content(1 << 20))
        eventually(lambda: service.get(f"/containers/{box}/get_archive", params={"path": "/etc/group"}).status_code == 200)


def test_a_container_that_is_removed_meanwhile(service):
    uuid = service.create()
    service.wait(uuid, "Running")
    run(service, uuid, "dd if=/dev/zero of=/root/big bs=1M count=0 seek=300")
    with service.get(f"/containers/{uuid}/get_archive", params={"path": "/root/big"}, stream=True) as answer:
        removing = threading.Thread(target=lambda: service.delete(f"/containers/{uuid}", params={"force": True}))
        removing.start()
        try:
            whole = b"".join(answer.iter_content(1 << 20))
        except requests.exceptions.ChunkedEncodingError:
            whole = b""  # hung up on: that something is missing can be seen
        removing.join(PATIENCE)
    assert whole == b"" or json.loads(whole)["stat"]["name"] == "big"
    service.wait_gone(uuid)


def test_the_client_copies_both_ways(openstack, service, box, tmp_path):
    (tmp_path / "letter").write_bytes(b"dear container\n")
    openstack("cp", str(tmp_path / "letter"), f"{box}:/root")
    assert run(service, box, "cat /root/letter") == "dear container\n"
    (tmp_path / "back").mkdir()
    openstack("cp", f"{box}:/root/letter", str(tmp_path / "back"))
    assert (tmp_path / "back" / "letter").read_bytes() == b"dear container\n"
