"""The engine goes away in the middle of an archive: the client can see it, nothing hangs, and what is asked for later works."""

import base64
import tarfile
import threading

import pytest
import requests

from tests.images import load_busybox
from tests.service.aio import PATIENCE, Aio


@pytest.fixture
def alone(own_dockerd, tmp_path):
    load_busybox(own_dockerd.socket)
    aio = Aio(tmp_path, own_dockerd)
    try:
        aio.start()
        yield aio
    finally:
        aio.clean()


def test_the_engine_is_killed_in_the_middle(alone):
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

    member = tarfile.TarInfo("big")
    member.size = 400 << 20
    data = base64.b64encode(member.tobuf() + bytes(member.size + 1024))
    told = []

    def put():
        told.append(
            alone.post(
                f"/containers/{uuid}/put_archive",
                params={"path": "/root"},
                data=b'{"data": "' + data + b'"}',
                headers={"Content-Type": "application/json"},
            ).status_code
        )

    putting = threading.Thread(target=put)
    putting.start()
    alone.engine.kill()
    putting.join(PATIENCE)
    assert told in ([503], [400], [409], [200])
    alone.engine.start()
    assert alone.get("/containers").status_code == 200
