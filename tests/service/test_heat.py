"""Heat's resource ``OS::Zun::Container``: its calls, at its microversions, in its order. It asks for no version before."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from tests.service.aio import PROGRAM, Aio, eventually
from tests.service.official import library

#: what each status means to a stack that is being created; any other one fails it
WAIT, DONE = ("Creating", "Created"), ("Running", "Stopped")


@pytest.fixture
def zun(service: Aio) -> Any:
    return library(service, "1.12")


@pytest.fixture
def made(zun: Any, service: Aio) -> Iterator[list[str]]:
    """Takes what a stack has made; goes when the test ends."""
    uuids: list[str] = []
    yield uuids
    for uuid in uuids:
        service.delete(f"/containers/{uuid}", params={"force": True})
        service.wait_gone(uuid)


def create(zun: Any, made: list[str], **properties: Any) -> str:
    """What handle_create sends: the given properties, and security groups always."""
    if isinstance(properties.get("command"), str):
        properties["command"] = shlex.split(properties["command"])
    if "restart_policy" in properties:
        name, _, count = properties["restart_policy"].partition(":")
        properties["restart_policy"] = {"Name": name, "MaximumRetryCount": count or "0"}
    uuid = str(zun.containers.run(name="stack-web-jx3v", image="busybox", security_groups=[], **properties).uuid)
    made.append(uuid)
    return uuid


def poll(zun: Any, uuid: str) -> Any:
    """What check_create_complete does until it is complete or has failed."""
    seen: list[Any] = []

    def complete() -> bool:
        seen.append(zun.containers.get(uuid))
        return seen[-1].status not in WAIT

    eventually(complete)
    return seen[-1]


def test_a_stack_is_created_and_deleted(zun: Any, made: list[str], service: Aio) -> None:
    uuid = create(
        zun,
        made,
        command=shlex.join(PROGRAM),
        cpu=0.1,
        memory=32,
        environment={"A": "b"},
        labels={"tier": "web"},
        workdir="/tmp",
        hostname="web",
        interactive=False,
        image_driver="docker",
        restart_policy="on-failure:2",
        hints={"group": "a"},
    )
    found = poll(zun, uuid)
    assert (found.status, found.name, found.hostname) == ("Running", "stack-web-jx3v", "web")
    assert (found.command, found.restart_policy) == (list(PROGRAM), {"Name": "on-failure", "MaximumRetryCount": "2"})
    assert list(found.addresses) == ["bridge"]
    zun.containers.delete(uuid, stop=True)
    service.wait_gone(uuid)
    gone(zun, uuid)


def gone(zun: Any, uuid: str) -> None:
    """What check_delete_complete waits for; a delete of what is not there is one that is done."""
    from zunclient import exceptions

    with pytest.raises(exceptions.NotFound):
        zun.containers.get(uuid)
    with pytest.raises(exceptions.NotFound):
        zun.containers.delete(uuid, stop=True)


def test_what_ends_by_itself_is_created_as_well(zun: Any, made: list[str]) -> None:
    assert poll(zun, create(zun, made, command="true", cpu=0.1, memory=32)).status in DONE


def test_what_fails_says_why(zun: Any, made: list[str]) -> None:
    uuid = create(zun, made, command="no-such-program", cpu=0.1, memory=32)
    found = poll(zun, uuid)
    assert (found.status, "no-such-program" in found.status_reason) == ("Error", True)
    zun.containers.delete(uuid, stop=True)


def test_a_terminal_needs_1_36(made: list[str], service: Aio) -> None:
    zun = library(service, "1.36")
    found = poll(zun, create(zun, made, command="sh", interactive=True, tty=False, cpu=0.1, memory=32))
    assert (found.status, found.interactive, found.tty) == ("Running", True, False)


def test_a_stack_is_updated_in_place(zun: Any, made: list[str], service: Aio) -> None:
    uuid = create(zun, made, command=shlex.join(PROGRAM), cpu=0.1, memory=32)
    poll(zun, uuid)
    newer = library(service, "1.18")
    assert newer.containers.update(uuid, cpu=0.2, memory=64, name="stack-web-2").name == "stack-web-2"
    found = newer.containers.get(uuid)
    assert (found.cpu, found.memory, found.status) == (0.2, "64", "Running")
    (network,) = newer.containers.network_list(uuid)
    assert {"port_id", "net_id", "fixed_ips"} <= set(network.to_dict())
    assert {"ip_address", "subnet_id"} <= set(network.fixed_ips[0])


def test_a_stack_is_deleted_whatever_became_of_it(zun: Any, made: list[str], service: Aio) -> None:
    from zunclient import exceptions

    uuid = create(zun, made, command=shlex.join(PROGRAM), cpu=0.1, memory=32)
    poll(zun, uuid)
    service.post(f"/containers/{uuid}/pause")
    service.wait(uuid, "Paused")
    with pytest.raises(exceptions.Conflict, match="in Paused state"):  # it fails the stack's deletion, and Heat says why
        zun.containers.delete(uuid, stop=True)
    service.post(f"/containers/{uuid}/unpause")
    service.wait(uuid, "Running")
    zun.containers.delete(uuid, stop=True)
    service.wait_gone(uuid)


def test_what_needs_neutron_or_cinder_fails_at_once(zun: Any, made: list[str]) -> None:
    from zunclient import exceptions

    for properties, word in (
        ({"nets": [{"network": "private", "v4-fixed-ip": "10.0.0.5"}]}, "Neutron"),
        ({"mounts": [{"size": 1, "destination": "/data"}]}, "Cinder"),
        ({"mounts": [{"source": "data", "destination": "/data"}]}, "Cinder"),
    ):
        with pytest.raises(exceptions.BadRequest, match=word):
            create(zun, made, **properties)
    assert made == []
