"""The service goes and comes back; its containers do not notice."""

import os

from tests.service.aio import eventually
from zun.drivers.runtime.docker_http import DockerHttp


def engine_call(aio, method, path, **query):
    http = DockerHttp(aio.engine.socket, timeout=30)
    try:
        answer = http.call(method, path, query=query)
        assert answer.ok, answer.message
        return answer.data
    finally:
        http.close()


def test_containers_keep_running_while_the_service_is_down(own_service):
    uuid = own_service.create()
    own_service.wait(uuid, "Running")
    pid = engine_call(own_service, "GET", f"/containers/zun-{uuid}/json")["State"]["Pid"]
    assert own_service.stop() == 0
    os.kill(pid, 0)
    own_service.start()
    own_service.wait(uuid, "Running")
    assert engine_call(own_service, "GET", f"/containers/zun-{uuid}/json")["State"]["Pid"] == pid


def test_a_death_that_nobody_saw_is_found_at_the_next_start(own_service):
    uuid = own_service.create()
    own_service.wait(uuid, "Running")
    own_service.kill()
    engine_call(own_service, "POST", f"/containers/zun-{uuid}/kill")
    own_service.start()
    assert own_service.wait(uuid, "Stopped")["status_detail"].startswith("Exited(137)")


def test_a_restart_policy_makes_up_for_a_death_that_nobody_saw(own_service):
    uuid = own_service.create(restart_policy={"Name": "always"})
    own_service.wait(uuid, "Running")
    own_service.kill()
    engine_call(own_service, "POST", f"/containers/zun-{uuid}/kill")
    own_service.start()
    eventually(lambda: engine_call(own_service, "GET", f"/containers/zun-{uuid}/json")["State"]["Running"], "the engine runs it again")
    own_service.wait(uuid, "Running")


def test_what_a_user_stopped_stays_stopped(own_service):
    uuid = own_service.create(restart_policy={"Name": "always"})
    own_service.wait(uuid, "Running")
    own_service.post(f"/containers/{uuid}/stop", params={"timeout": 0})
    own_service.wait(uuid, "Stopped")
    own_service.kill()
    own_service.start()
    assert own_service.show(uuid)["status"] == "Stopped"


def test_the_same_password_and_the_same_project_after_a_restart(own_service):
    uuid, password = own_service.create(run=False), own_service.password
    own_service.stop()
    own_service.start()
    assert own_service.password == password
    assert own_service.show(uuid)["uuid"] == uuid


def test_what_carries_our_mark_and_is_in_no_row_is_removed(own_service):
    uuid = own_service.create()
    own_service.wait(uuid, "Running")
    own_service.kill()
    for file in own_service.state.glob("zun.sqlite*"):
        file.unlink()
    own_service.start()
    eventually(lambda: own_service.objects() == [], "nobody's sandbox is removed")
