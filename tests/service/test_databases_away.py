"""A database server that is killed under the running service: requests are told to come again, and what was accepted goes on after it."""

from __future__ import annotations

import pytest

from tests.service.aio import eventually
from tests.service.distributed import PARTS, running


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def service(engine, server, broker, tmp_path):
    yield from running(tmp_path, engine, server, broker)


def test_requests_are_told_to_come_again_and_accepted_work_goes_on_without_a_restart(service, server):
    alive = [service._running[name].pid for name in PARTS]
    living, dying = service.create(), service.create()
    for uuid in (living, dying):
        service.wait(uuid, "Running")
    accepted = [service.create() for _ in range(3)]
    assert service.delete(f"/containers/{dying}", params={"force": "true"}).status_code == 204
    server.kill()
    try:
        answers = [
            service.get("/containers"),
            service.get(f"/containers/{living}"),
            service.post("/containers", params={"run": True}, json={"image": "busybox"}),
            service.post(f"/containers/{living}/stop"),
            service.delete(f"/containers/{living}", params={"force": "true"}),
        ]
    finally:
        server.start()
    for answer in answers:
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) > 0
    eventually(lambda: service.get("/containers").status_code == 200, "requests are answered again")
    for uuid in (living, *accepted):
        service.wait(uuid, "Running")
    service.wait_gone(dying)
    service.assert_nothing_leaked()
    assert [process.pid for process in service._running.values()] == alive
    assert all(process.poll() is None for process in service._running.values())
