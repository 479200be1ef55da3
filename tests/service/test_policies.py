"""What the service does by itself: restart policies, auto_remove, auto_heal, on a real engine."""

import pytest

from tests.service.aio import eventually
from zun.drivers.runtime.docker_http import DockerHttp


@pytest.fixture
def made(service):
    """Makes a running container; it is deleted after the test."""
    uuids = []

    def make(*command, **fields):
        uuids.append(service.create(*command, **fields))
        return uuids[-1]

    yield make
    for uuid in uuids:
        service.delete(f"/containers/{uuid}", params={"force": True})
        service.wait_gone(uuid)
    service.assert_nothing_leaked()


def engine_call(service, method, path):
    http = DockerHttp(service.engine.socket, timeout=30)
    try:
        answer = http.call(method, path)
        assert answer.ok, answer.message
        return answer.data
    finally:
        http.close()


def started(service, uuid):
    """When its last life began, by the engine."""
    return engine_call(service, "GET", f"/containers/zun-{uuid}/json")["State"]["StartedAt"]


def test_on_failure_restarts_as_often_as_was_said_and_no_more(service, made):
    uuid = made("sh", "-c", "echo life; exit 3", restart_policy={"Name": "on-failure", "MaximumRetryCount": "2"})
    eventually(lambda: lives(service, uuid) == 3, "the first life and two restarts")
    container = service.wait(uuid, "Stopped")
    assert container["status_detail"].startswith("Exited(3)")
    assert lives(service, uuid) == 3


def test_on_failure_leaves_a_success_alone(service, made):
    uuid = made("sh", "-c", "echo life", restart_policy={"Name": "on-failure", "MaximumRetryCount": "5"})
    assert service.wait(uuid, "Stopped")["status_detail"].startswith("Exited(0)")


def test_always_restarts_after_a_success_and_a_stop_ends_it(service, made):
    uuid = made(restart_policy={"Name": "always"})
    service.wait(uuid, "Running")
    first = started(service, uuid)
    engine_call(service, "POST", f"/containers/zun-{uuid}/stop?t=0")
    eventually(lambda: started(service, uuid) != first, "the engine shows another life")
    # While the news is on its way it may still be shown as restarting, and cannot be stopped then.
    eventually(lambda: service.post(f"/containers/{uuid}/stop", params={"timeout": 0}).status_code == 202, "the stop is accepted")
    service.wait(uuid, "Stopped")


def test_auto_remove_takes_away_a_container_that_ended(service):
    uuid = service.create("true", auto_remove=True)
    service.wait_gone(uuid)
    service.assert_nothing_leaked()


def test_auto_remove_takes_away_a_container_that_was_stopped(service):
    uuid = service.create(auto_remove=True)
    service.wait(uuid, "Running")
    service.post(f"/containers/{uuid}/stop", params={"timeout": 0})
    service.wait_gone(uuid)
    service.assert_nothing_leaked()


def test_auto_heal_makes_a_container_anew_that_the_engine_lost(service, made):
    uuid = made(auto_heal=True)
    before = service.wait(uuid, "Running")
    engine_call(service, "DELETE", f"/containers/zun-{uuid}?force=true")
    eventually(lambda: [action["action"] for action in actions(service, uuid)][:1] == ["rebuild"], "it is rebuilt")
    after = service.wait(uuid, "Running")
    assert after["addresses"] == before["addresses"]
    done = service.post(f"/containers/{uuid}/execute", params={"command": "echo alive"}).json()
    assert done["output"] == "alive\n"


def test_without_auto_heal_the_loss_is_told(service, made):
    uuid = made()
    service.wait(uuid, "Running")
    engine_call(service, "DELETE", f"/containers/zun-{uuid}?force=true")
    assert "No such container" in service.wait(uuid, "Error")["status_reason"]


def test_a_file_that_came_with_the_request_is_there(service, made):
    uuid = made(mounts=[{"type": "bind", "source": "aGVsbG8gdGhlcmU=", "destination": "/etc/greeting"}])
    service.wait(uuid, "Running")
    assert service.post(f"/containers/{uuid}/execute", params={"command": "cat /etc/greeting"}).json()["output"] == "hello there"


def test_what_was_asked_for_is_what_runs(service, made):
    uuid = made(
        environment={"GREETING": "hello"},
        hostname="somewhere",
        workdir="/tmp",
        entrypoint=["sh", "-c"],
        command=["trap 'exit 0' TERM; sleep 1000 & wait"],
        memory=48,
    )
    service.wait(uuid, "Running")

    def told(command):
        return service.post(f"/containers/{uuid}/execute", params={"command": command}).json()["output"].strip()

    assert told("sh -c 'echo $GREETING'") == "hello"
    assert told("hostname") == "somewhere"
    assert told("pwd") == "/tmp"
    assert service.get(f"/containers/{uuid}/stats").json()["MEM LIMIT(MiB)"] == 48


def lives(service, uuid):
    """How often it has begun, by its log; a log cannot be asked for while a container is being made or waits for a restart."""
    answer = service.get(f"/containers/{uuid}/logs")
    return answer.json().count("life") if answer.status_code == 200 else None


def actions(service, uuid):
    return service.get(f"/containers/{uuid}/container_actions").json()["containerActions"]
