"""The service as several processes does what the whole in one does, and loses nothing when one of them is killed."""

from __future__ import annotations

import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.service.aio import PROGRAM, eventually
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


APPLICATION = "zun.wsgi.api:application"
#: by name: how each is told to run two processes of two threads, and to say which process has answered
SERVERS = {
    "waitress": lambda port: [sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", APPLICATION],
    "gunicorn": lambda port: [
        *(sys.executable, "-m", "gunicorn", "--workers=2", "--threads=2", "--timeout=120", f"--bind=127.0.0.1:{port}"),
        *("--access-logfile=-", "--access-logformat=answered by %(p)s", APPLICATION),
    ],
    "uwsgi": lambda port: [
        *(str(Path(sys.executable).with_name("uwsgi")), "--master", "--processes=2", "--threads=2", "--lazy-apps", "--enable-threads"),
        *(f"--http-socket=127.0.0.1:{port}", f"--module={APPLICATION}", "--die-on-term", "--log-format=answered by <%(pid)>"),
    ],
}


@pytest.mark.parametrize("server", SERVERS)
def test_any_wsgi_server_runs_the_api_by_its_module_path(distributed, server):
    """Whichever of its workers answers: they have nothing in common but the database and the broker."""
    url = distributed.begin_workers(server, SERVERS[server])

    def ask(method, path, **options):
        headers = {"OpenStack-API-Version": "container 1.41"} | options.pop("headers", {})
        return requests.request(method, f"{url}/v1{path}", headers=headers, auth=("admin", PASSWORD), timeout=60, **options)

    def answered_by():
        return set(re.findall(r"answered by <(\d+)>", distributed.log_of(server)))

    body = {"image": "busybox", "command": list(PROGRAM), "cpu": 0.1, "memory": 32, "name": f"of-{server}"}
    once = {"X-Idempotency-Key": f"only-once-{server}"}
    with ThreadPoolExecutor(6) as many:
        asked = list(many.map(lambda _: ask("POST", "/containers?run=true", json=body, headers=once), range(6)))
    assert {answer.status_code for answer in asked} == {202}, [answer.text for answer in asked]
    (uuid,) = {answer.json()["uuid"] for answer in asked}
    distributed.wait(uuid, "Running")
    with ThreadPoolExecutor(6) as many:
        if server != "waitress":
            eventually(
                lambda: list(many.map(lambda _: ask("GET", "/containers"), range(6))) and len(answered_by()) == 2, "two workers answer"
            )
        followed = list(many.map(lambda _: ask("GET", f"/containers/{uuid}/logs?follow=true", allow_redirects=False), range(6)))
    for answer in followed:
        assert answer.status_code == 307, answer.text
        stream = requests.get(answer.headers["Location"], stream=True, timeout=60)
        assert stream.status_code == 200
        stream.close()
    assert ask("DELETE", f"/containers/{uuid}", params={"force": "true"}).status_code == 204
    distributed.wait_gone(uuid)
    assert distributed.end(server, signal.SIGTERM) in (0, -signal.SIGTERM)


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
