"""The service ends when it is told to, whatever it waits for; what it leaves undone, its next life does. So ends its work."""

import socket
import threading

import pytest

from tests.images import load_busybox
from tests.service.aio import Aio, eventually

HEEDLESS = ("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
#: seconds: more than a test waits for anything
LONG = 3600


@pytest.fixture
def aio(own_dockerd, tmp_path):
    load_busybox(own_dockerd.socket)
    made = Aio(tmp_path, own_dockerd)
    made.migrate()
    made.start()
    yield made
    own_dockerd.thaw()
    made.clean()


def test_a_stop_that_waits_for_its_grace(own_service):
    uuid = own_service.create(*HEEDLESS)
    own_service.wait(uuid, "Running")
    own_service.post(f"/containers/{uuid}/stop", params={"timeout": LONG})
    eventually(lambda: own_service.show(uuid)["task_state"] == "container_stopping")
    assert own_service.stop() == 0
    own_service.start()
    assert own_service.show(uuid)["task_state"] == "container_stopping"


def test_stops_that_wait_keep_nobody_else_waiting(own_service):
    heedless = [own_service.create(*HEEDLESS) for _ in range(9)]
    for uuid in heedless:
        own_service.wait(uuid, "Running")
    for uuid in heedless:
        own_service.post(f"/containers/{uuid}/stop", params={"timeout": LONG})
    own_service.wait(own_service.create(), "Running")


def test_an_engine_that_hangs(aio):
    uuid = aio.create()
    aio.wait(uuid, "Running")
    aio.engine.freeze()
    waiting, answers = aio.create(), []
    asking = threading.Thread(target=lambda: answers.append(aio.get(f"/containers/{uuid}/logs")))
    asking.start()
    assert aio.show(waiting)["status"] == "Creating"
    assert aio.stop() == 0
    asking.join()
    assert [answer.status_code for answer in answers] == [503]
    aio.engine.thaw()
    aio.start()
    aio.wait(uuid, "Running")
    aio.wait(waiting, "Running")


@pytest.fixture
def stalled():
    """A registry that takes calls and answers none: its address, and an event that is set when it was called."""
    called = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            callers = []
            while True:
                try:
                    callers.append(server.accept()[0])
                except OSError:
                    return
                called.set()

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", called
        server.shutdown(socket.SHUT_RDWR)


def test_a_pull_from_a_registry_that_does_not_answer(own_service, stalled):
    address, called = stalled
    uuid = own_service.create(image=f"{address}/nothing/here:1")
    assert called.wait(60)
    assert own_service.stop() == 0
    own_service.start()
    assert own_service.show(uuid)["status"] == "Creating"


def test_a_deletion_ends_a_pull_from_a_registry_that_does_not_answer(own_service, stalled):
    address, called = stalled
    uuid = own_service.create(image=f"{address}/nothing/here:1")
    assert called.wait(60)
    assert own_service.delete(f"/containers/{uuid}", params={"force": True}).status_code == 204
    own_service.wait_gone(uuid)
    own_service.assert_nothing_leaked()
