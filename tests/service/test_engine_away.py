"""Docker stopped under the service: nothing is lost, nothing hangs, all settles when it is back."""

import pytest

from tests.images import load_busybox
from tests.service.aio import Aio, eventually


@pytest.fixture
def aio(own_dockerd, tmp_path):
    load_busybox(own_dockerd.socket)
    made = Aio(tmp_path, own_dockerd, "heartbeat_interval = 1\n")
    made.migrate()
    made.start()
    yield made
    own_dockerd.start()
    made.clean()


def test_a_question_is_answered_with_503_and_work_waits(aio):
    forever = aio.create(restart_policy={"Name": "always"})
    once = aio.create()
    for uuid in (forever, once):
        aio.wait(uuid, "Running")
    aio.engine.stop()
    answer = aio.get(f"/containers/{once}/logs")
    assert answer.status_code == 503
    assert "try again" in answer.json()["errors"][0]["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    waiting = aio.create()
    assert aio.show(waiting)["status"] == "Creating"

    aio.engine.start()

    aio.wait(waiting, "Running")
    eventually(lambda: aio.post(f"/containers/{forever}/execute", params={"command": "true"}).status_code == 200, "it runs again")
    assert aio.wait(once, "Stopped")["status_detail"].startswith("Exited")
    aio.assert_nothing_leaked()


def test_a_container_that_was_restarted_with_its_engine_has_its_network_again(aio):
    uuid = aio.create("httpd", "-f", "-p", "8080", restart_policy={"Name": "always"})
    aio.wait(uuid, "Running")
    aio.engine.stop()
    aio.engine.start()
    aio.wait(uuid, "Running")
    found = eventually(lambda: next(iter(aio.show(uuid)["addresses"].values()), None), "it has an address")
    answer = aio.post(f"/containers/{uuid}/execute", params={"command": "ip -4 -o address show dev eth0"}).json()
    assert found[0]["addr"] in answer["output"]


def test_an_engine_that_was_killed_loses_nothing(aio):
    uuid = aio.create(restart_policy={"Name": "always"})
    aio.wait(uuid, "Running")
    aio.engine.kill()
    aio.engine.start()

    def answers():
        done = aio.post(f"/containers/{uuid}/execute", params={"command": "echo still here"})
        return done.status_code == 200 and done.json()["output"] == "still here\n"

    eventually(answers, "it runs again, or still")
    aio.assert_nothing_leaked()


def test_a_create_that_comes_before_the_host_does_waits_for_it(own_dockerd, tmp_path):
    load_busybox(own_dockerd.socket)
    aio = Aio(tmp_path, own_dockerd, "heartbeat_interval = 1\nservice_down_time = 3\n")
    aio.start()
    try:
        aio.kill()
        own_dockerd.stop()
        aio.start(engine_away=True)
        eventually(lambda: aio.get("/services").json()["services"][0]["state"] == "down", "the host has been silent for too long")
        uuid = aio.create()
        own_dockerd.start()
        aio.wait(uuid, "Running")
    finally:
        own_dockerd.start()
        aio.clean()
