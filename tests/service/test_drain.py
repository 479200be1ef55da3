"""A host is taken out of service and comes back, on a real engine: whatever its containers are doing, none runs in between."""

from __future__ import annotations

from typing import Any

import requests

from tests.registries import PASSWORD, USER, Front
from tests.service.aio import Aio, eventually
from tests.service.test_capsules import create as create_capsule
from tests.service.test_capsules import entry, show, template
from tests.service.test_capsules import wait as wait_capsule
from zun.domain.host import COMPUTE

FOREVER = {"Name": "always"}
#: does not listen to what it is asked
STUBBORN = ("sh", "-c", "trap '' TERM; while true; do sleep 1; done")
NEW = "1.41"


def put(aio: Aio, verb: str, version: str = NEW, **options: Any) -> requests.Response:
    service = aio.get("/services").json()["services"][0]
    query = {"host": service["host"], "binary": COMPUTE, **options}
    return aio.request("PUT", f"/services/{verb}", version=version, params=query)


def drain(aio: Aio, **options: Any) -> dict[str, Any]:
    answer = put(aio, "drain", **options)
    assert answer.status_code == 202, answer.text
    return dict(answer.json()["service"])


def service(aio: Aio) -> dict[str, Any]:
    (only,) = aio.get("/services", version=NEW).json()["services"]
    return dict(only)


def wait_for(aio: Aio, state: str | None) -> None:
    eventually(lambda: service(aio)["drain_state"] == state, f"the host is {state}; it is {service(aio)}")


def running(aio: Aio) -> set[str]:
    """The containers that the engine runs; a sandbox without them is none."""
    mark = "org.openstack.zun.container"
    return {one["Labels"][mark] for one in aio.objects() if mark in one["Labels"] and one["State"] in ("running", "paused", "restarting")}


def statuses(aio: Aio, *uuids: str) -> list[str]:
    return [aio.show(uuid)["status"] for uuid in uuids]


def test_a_host_is_drained_whatever_its_containers_do_and_gets_back_what_it_had(own_service: Aio) -> None:
    aio = own_service
    plain, always, frozen, users = aio.create(), aio.create(restart_policy=FOREVER), aio.create(), aio.create()
    crashing = aio.create("sh", "-c", "exit 3", restart_policy=FOREVER)
    fleeting = aio.post(
        "/containers?run=true",
        version=NEW,
        json={"image": "busybox", "command": ["sleep", "1000"], "cpu": 0.1, "memory": 32, "auto_remove": True},
    ).json()["uuid"]
    made = aio.create(run=False)
    capsule = create_capsule(aio, template(entry(), entry(), entry(), name="shop", restartPolicy="Always"))
    for uuid in (plain, always, frozen, users, fleeting):
        aio.wait(uuid, "Running")
    aio.wait(made, "Created"), wait_capsule(aio, capsule, "Running")
    aio.post(f"/containers/{frozen}/pause"), aio.post(f"/containers/{users}/stop")
    aio.wait(frozen, "Paused"), aio.wait(users, "Stopped")
    eventually(lambda: aio.show(crashing)["status"] == "Restarting", "it crashes again and again")

    told = drain(aio, timeout=60, disabled_reason="new disk")
    assert (told["disabled"], told["disabled_reason"], told["drain_state"]) == (True, "new disk", "draining")
    assert told["drain_left"] >= 4
    wait_for(aio, "drained")
    assert running(aio) == set()
    assert statuses(aio, plain, always, frozen, users, crashing, made) == ["Stopped"] * 5 + ["Created"]
    assert show(aio, capsule)["status"] == "Stopped"
    aio.wait_gone(fleeting)
    assert [aio.get(f"/containers/{uuid}", version=NEW).json()["drained"] for uuid in (plain, users)] == [True, False]
    assert "drained" not in aio.show(plain)

    refused = aio.post(f"/containers/{plain}/start")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "container.host-draining")
    nowhere = aio.wait(aio.create(), "Error")
    assert "service filter" in nowhere["status_reason"]

    answer = put(aio, "enable", restart="true").json()["service"]
    assert (answer["disabled"], answer["drain_state"]) == (False, "restarting")
    for uuid in (plain, always, frozen):
        aio.wait(uuid, "Running")
    wait_capsule(aio, capsule, "Running")
    eventually(lambda: aio.show(crashing)["status"] == "Restarting", "it goes on as it was")
    assert statuses(aio, users, made) == ["Stopped", "Created"]
    wait_for(aio, None)
    assert put(aio, "enable", version="1.40").json() == {
        "service": {"host": service(aio)["host"], "binary": COMPUTE, "disabled": False, "disabled_reason": None}
    }
    aio.delete(f"/capsules/{capsule}")


def test_a_drain_outlives_the_service(own_service: Aio) -> None:
    aio = own_service
    uuids = [aio.create(*STUBBORN, restart_policy=FOREVER) for _ in range(4)]
    for uuid in uuids:
        aio.wait(uuid, "Running")
    drain(aio, timeout=8)
    aio.kill()
    assert running(aio), "it died in the middle"
    aio.start()
    wait_for(aio, "drained")
    assert running(aio) == set()
    assert statuses(aio, *uuids) == ["Stopped"] * 4
    aio.stop(), aio.start()
    assert (service(aio)["drain_state"], running(aio)) == ("drained", set()), "no policy brings them back with the agent's next life"
    put(aio, "enable", restart="true")
    aio.kill(), aio.start()
    for uuid in uuids:
        aio.wait(uuid, "Running")


def test_who_does_not_listen_is_ended_by_the_deadline_whatever_was_said_before(own_service: Aio) -> None:
    uuid, stopping = own_service.create(*STUBBORN), own_service.create(*STUBBORN)
    own_service.wait(uuid, "Running"), own_service.wait(stopping, "Running")
    own_service.post(f"/containers/{stopping}/stop", params={"timeout": 3600})
    eventually(lambda: own_service.show(stopping)["task_state"] == "container_stopping", "its host waits for an hour")
    drain(own_service, timeout=0)
    wait_for(own_service, "drained")
    for each in (uuid, stopping):
        assert own_service.wait(each, "Stopped")["status_detail"].startswith("Exited(137)")


def test_a_container_whose_image_is_still_being_pulled_is_stopped_once_it_runs(own_service: Aio, front: Front, fresh: str) -> None:
    aio = own_service
    account = {"domain": front.address, "name": "mine", "username": USER, "password": PASSWORD}
    assert aio.post("/registries", json={"registry": account}).status_code == 201
    front.hold()
    uuid = aio.create(image=f"{front.address}/{fresh}", registry="mine")
    assert front.waiting.wait(60)
    told = drain(aio, timeout=30)
    assert (told["drain_state"], told["drain_left"]) == ("draining", 1)
    assert aio.show(uuid)["status"] == "Creating"
    front.release()
    wait_for(aio, "drained")
    assert aio.wait(uuid, "Stopped")["status_detail"].startswith("Exited")
    assert running(aio) == set()
    put(aio, "enable", restart="true")
    aio.wait(uuid, "Running")
