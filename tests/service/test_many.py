"""Many at once."""

from concurrent.futures import ThreadPoolExecutor

from tests.service.aio import Aio


def test_fifty_creates_at_once_all_end_well(engine, tmp_path):
    aio = Aio(tmp_path, engine, "[quota]\ncontainers = 50\ncpu = -1\nmemory = -1\n")
    aio.start()
    try:
        with ThreadPoolExecutor(50) as clients:
            uuids = list(clients.map(lambda number: aio.create(name=f"many-{number}"), range(50)))
        assert len(set(uuids)) == 50
        for uuid in uuids:
            aio.wait(uuid, "Running")
        assert len({address(aio.show(uuid)) for uuid in uuids}) == 50
        over = aio.post("/containers", json={"image": "busybox"})
        assert (over.status_code, over.json()["errors"][0]["code"]) == (403, "container.over-quota")
        with ThreadPoolExecutor(50) as clients:
            list(clients.map(lambda uuid: aio.delete(f"/containers/{uuid}", params={"force": True}), uuids))
        for uuid in uuids:
            aio.wait_gone(uuid)
        aio.assert_nothing_leaked()
    finally:
        aio.clean()


def address(container):
    return next(iter(container["addresses"].values()))[0]["addr"]


def test_the_same_create_by_two_clients_makes_two_containers(service):
    with ThreadPoolExecutor(2) as clients:
        first, second = clients.map(lambda _: service.create(name="twin"), range(2))
    assert first != second
    for uuid in (first, second):
        service.wait(uuid, "Running")
    answer = service.get("/containers/twin")
    assert answer.status_code == 409
    for uuid in (first, second):
        service.delete(f"/containers/{uuid}", params={"stop": True})
        service.wait_gone(uuid)


def test_a_deletion_during_the_create_ends_both(service):
    uuids = [service.create() for _ in range(8)]
    for uuid in uuids:
        assert service.delete(f"/containers/{uuid}", params={"force": True}).status_code == 204
    for uuid in uuids:
        service.wait_gone(uuid)
    service.assert_nothing_leaked()
