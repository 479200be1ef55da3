"""The service as several processes does what the whole in one does, and loses nothing when one of them is killed."""

from __future__ import annotations

import signal
import threading
from contextlib import closing

import pytest
import requests

from tests.service.aio import eventually
from tests.service.distributed import PARTS, PASSWORD, distributed

__all__ = ["distributed"]


def test_a_container_lives_and_is_talked_to_and_dies(distributed):
    uuid = distributed.create("sh", "-c", "echo ready; trap 'exit 0' TERM; sleep 1000 & wait")
    assert distributed.wait(uuid, "Running")["host"] == "host-1"
    assert eventually(lambda: distributed.get(f"/containers/{uuid}/logs").json()) == "ready\n"
    answer = distributed.post(f"/containers/{uuid}/execute", params={"command": "echo from inside", "run": "true"})
    assert (answer.status_code, answer.json()["output"]) == (200, "from inside\n")
    assert distributed.get(f"/containers/{uuid}/stats").json()["CONTAINER"]
    assert distributed.post(f"/containers/{uuid}/stop").status_code == 202
    distributed.wait(uuid, "Stopped")
    assert distributed.delete(f"/containers/{uuid}").status_code == 204
    distributed.wait_gone(uuid)
    distributed.assert_nothing_leaked()


def test_streams_go_through_a_proxy_that_has_no_database(distributed):
    uuid = distributed.create("sh", "-c", "for n in 1 2 3; do echo line $n; sleep 0.1; done; trap 'exit 0' TERM; sleep 1000 & wait")
    distributed.wait(uuid, "Running")
    followed = requests.get(
        f"{distributed.url}/v1/containers/{uuid}/logs",
        params={"follow": "true"},
        headers={"OpenStack-API-Version": "container 1.41"},
        auth=("admin", PASSWORD),
        stream=True,
        timeout=60,
    )
    assert followed.url.startswith(f"http://127.0.0.1:{distributed.proxy_port}/")
    lines = followed.iter_lines()
    assert [next(lines).decode() for _ in range(3)] == ["line 1", "line 2", "line 3"]
    followed.close()
    assert "connection" in distributed.told_to("api")
    for name in ("wsproxy", "compute"):
        assert "connection" not in distributed.told_to(name), "neither the proxy nor the agent knows where the database is"


def test_what_one_process_writes_another_tells_at_once(distributed):
    seen: list[str] = []
    listening = threading.Event()

    def watch() -> None:
        headers = {"OpenStack-API-Version": "container 1.41", "Accept": "text/event-stream"}
        with requests.get(f"{distributed.url}/v1/events", headers=headers, auth=("admin", PASSWORD), stream=True, timeout=60) as stream:
            for line in stream.iter_lines():
                listening.set()
                seen.append(line.decode())
                if "Running" in seen[-1]:
                    return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    assert listening.wait(30)
    distributed.create()
    watcher.join(30)
    assert any('"Running"' in line for line in seen)


def test_any_wsgi_server_runs_the_api_by_its_module_path(distributed):
    url = distributed.begin_worker("worker")
    headers = {"OpenStack-API-Version": "container 1.40"}
    body = {"image": "busybox", "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"], "cpu": 0.1, "memory": 32}
    asked = requests.post(f"{url}/v1/containers?run=true", json=body, headers=headers, auth=("admin", PASSWORD), timeout=60)
    assert asked.status_code == 202, asked.text
    distributed.wait(asked.json()["uuid"], "Running")
    distributed.end("worker")


@pytest.mark.parametrize("victim", ["api", "conductor-1", "compute"])
def test_a_process_that_is_killed_in_the_middle_of_creates_loses_none(distributed, victim):
    accepted = [distributed.create(name=f"c{number}") for number in range(6)]
    distributed.end(victim, signal.SIGKILL)
    distributed.begin(victim)
    eventually(lambda: distributed._up(False), f"{victim} is back")
    for uuid in accepted:
        distributed.wait(uuid, "Running")
    for uuid in accepted:
        assert distributed.delete(f"/containers/{uuid}", params={"force": "true"}).status_code == 204
    for uuid in accepted:
        distributed.wait_gone(uuid)
    distributed.assert_nothing_leaked()


def test_one_conductor_is_enough(distributed):
    assert distributed.end("conductor-1", signal.SIGTERM) == 0
    distributed.wait(distributed.create(), "Running")
    distributed.begin("conductor-1")


def test_a_broker_that_is_killed_delays_work_and_loses_none(distributed, broker):
    first = distributed.create()
    broker.kill()
    second = distributed.create()
    broker.start()
    distributed.wait(first, "Running")
    distributed.wait(second, "Running")


def test_a_broker_that_is_away_for_longer_than_hosts_may_be_silent_loses_none(distributed, broker):
    judges = ("api", "conductor-1", "conductor-2")
    for name in judges:
        distributed.end(name)
        distributed.begin(name, "[compute]\nservice_down_time = 6\n")
    eventually(lambda: distributed._up(False), "the host is heard by those that came back")
    living = distributed.create()
    distributed.wait(living, "Running")
    broker.kill()
    accepted = [distributed.create() for _ in range(3)]
    eventually(lambda: distributed.get("/services").json()["services"][0]["state"] == "down", "the host was silent for too long")
    accepted.append(distributed.create())
    assert distributed.get(f"/containers/{living}/logs").status_code == 503
    broker.start()
    for uuid in [*accepted, living]:
        distributed.wait(uuid, "Running")
    told = {event["status"] for event in distributed.get("/events", version="1.41", params={"limit": 1000}).json()["events"]}
    assert "Running" in told
    assert not told & {"Error", "Unknown"}
    for name in judges:
        distributed.end(name)
        distributed.begin(name)


def test_all_of_them_end_when_asked_to_and_none_begins_on_the_database_of_another_release(distributed, mariadb):
    """The last one: it leaves nothing running."""
    assert [distributed.end(name, signal.SIGTERM) for name in PARTS] == [0] * len(PARTS)
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE distributed.alembic_version SET version_num = '0001'")
    for name in ("api", "conductor-1"):
        distributed.begin(name)
        assert distributed.wait_for_end(name) == 1
        assert "zun-manage db upgrade" in distributed.log_of(name)
