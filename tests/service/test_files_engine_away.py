"""The engine goes away in the middle of an archive: the client can see it, nothing hangs, and what is asked for later works."""

import base64
import tarfile
import threading
import time

import pytest
import requests

from tests.images import load_busybox
from tests.service.aio import PATIENCE, Aio

#: bytes that take an engine much longer to unpack than the moments that it is given
SIZE = 100 << 20


@pytest.fixture
def alone(own_dockerd, tmp_path):
    load_busybox(own_dockerd.socket)
    aio = Aio(tmp_path, own_dockerd)
    try:
        aio.start()
        yield aio
    finally:
        aio.clean()


def test_the_engine_is_killed_while_it_packs(alone):
    uuid = alone.create()
    alone.wait(uuid, "Running")
    alone.post(f"/containers/{uuid}/execute", params={"command": "dd if=/dev/zero of=/root/big bs=1M count=0 seek=400"})
    with alone.get(f"/containers/{uuid}/get_archive", params={"path": "/root/big"}, stream=True) as answer:
        pieces = answer.iter_content(1 << 20)
        next(pieces)
        alone.engine.kill()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            for _ in pieces:
                pass
    assert alone.get(f"/containers/{uuid}/get_archive", params={"path": "/etc/group"}).status_code == 503
    alone.engine.start()
    alone.wait(uuid, "Stopped", "Error", "Running")
    assert alone.get(f"/containers/{uuid}/get_archive", params={"path": "/etc/group"}).status_code in (200, 409)


def test_the_engine_is_killed_while_it_unpacks(alone):
    uuid = alone.create()
    alone.wait(uuid, "Running")
    member = tarfile.TarInfo("unpacked")
    member.size = SIZE
    data = base64.b64encode(member.tobuf() + bytes(member.size + 1024))
    told = []

    def put():
        told.append(
            alone.post(
                f"/containers/{uuid}/put_archive",
                params={"path": "/root"},
                data=b'{"data": "' + data + b'"}',
                headers={"Content-Type": "application/json"},
            )
        )

    putting = threading.Thread(target=put)
    putting.start()
    # The engine is given a moment at a time, until the file has begun: no moment is long enough for all of it.
    written = 0
    until = time.monotonic() + PATIENCE
    while written == 0:
        assert time.monotonic() < until and not told, "it begins to unpack"
        alone.engine.thaw()
        time.sleep(0.004)
        alone.engine.freeze()
        written = unpacked(alone.engine.root)
    assert written < SIZE
    alone.engine.kill()
    putting.join(PATIENCE)
    (answer,) = told
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), answer.text
    alone.engine.start()
    assert alone.wait(uuid, "Stopped", "Running")
    small = tarfile.TarInfo("small")
    again = alone.post(
        f"/containers/{uuid}/put_archive",
        params={"path": "/root"},
        json={"data": base64.b64encode(small.tobuf() + bytes(1024)).decode()},
    )
    assert again.status_code == 200, again.text


def unpacked(root):
    """Bytes of the file that is being unpacked, wherever the engine keeps its containers' files."""
    return max((place.stat().st_size for place in root.glob("data/*/*/*/root/unpacked")), default=0)
