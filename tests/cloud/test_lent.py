"""What Neutron's RBAC lets a project have of another's: a container has it as anything else of the project has."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cloud.containers import Zun
from tests.cloud.networks import zun

__all__ = ["zun"]


@pytest.fixture
def lend(admin: Any, demo: Any) -> Iterator[Callable[..., None]]:
    """Lets demo's project, or another one, have something of the administrator's."""
    made = []

    def let(thing: Any, kind: str, action: str, project: str = demo.current_project_id) -> None:
        more = {"object_type": kind, "object_id": thing.id, "target_project_id": project}
        made.append(admin.network.create_rbac_policy(action=action, **more))

    yield let
    for policy in made:
        admin.network.delete_rbac_policy(policy)


@pytest.fixture
def theirs(admin: Any) -> Iterator[Any]:
    made = admin.network.create_security_group(name=f"theirs-{uuid.uuid4()}")
    yield made
    admin.network.delete_security_group(made)


@pytest.fixture
def outside(admin: Any) -> Iterator[Any]:
    """An external network that Neutron shows to nobody but its own project."""
    made = admin.network.create_network(name=f"outside-{uuid.uuid4()}", is_router_external=True)
    admin.network.create_subnet(network_id=made.id, ip_version=4, cidr="10.32.0.0/24", is_dhcp_enabled=False)
    for policy in list(admin.network.rbac_policies(object_id=made.id)):
        admin.network.delete_rbac_policy(policy)
    yield made
    admin.network.delete_network(made)


def answered(zun: Zun, **asked: Any) -> tuple[int, str]:
    """What is said when a container is asked for, in a zone that there is not: nothing is to become of it."""
    answer = zun.create(availability_zone="moon", **asked)
    if answer.status_code != 202:
        return answer.status_code, answer.json()["errors"][0]["code"]
    zun.settle(answer.json()["uuid"])
    zun.delete(answer.json()["uuid"])
    return 202, ""


def test_a_security_group(zun: Zun, admin: Any, theirs: Any, lend: Callable[..., None]) -> None:
    for name in (theirs.id, theirs.name):
        assert answered(zun, security_groups=[name]) == (400, "container.security-group-not-found")
    lend(theirs, "security_group", "access_as_shared")
    assert answered(zun, security_groups=[theirs.id]) == (202, "")
    with zun.running(security_groups=[theirs.name]) as one:
        assert one["security_groups"] == [theirs.id]
        (port,) = admin.network.ports(device_id=one["uuid"])
        assert port.security_group_ids == [theirs.id]


def test_an_external_network(zun: Zun, demo: Any, admin: Any, outside: Any, lend: Callable[..., None]) -> None:
    """Who does not see it is told that there is none; who sees it that he may not; who is lent it has it."""

    def all_forms() -> set[tuple[int, str]]:
        return {answered(zun, nets=[{"network": name}]) for name in (outside.id, outside.name)}

    lend(outside, "network", "access_as_external", admin.current_project_id)
    assert demo.network.find_network(outside.id) is None
    assert all_forms() == {(404, "container.network-not-found")}
    lend(outside, "network", "access_as_external")
    assert demo.network.find_network(outside.id) is not None
    assert all_forms() == {(403, "container.external-network-attach-forbidden")}
    lend(outside, "network", "access_as_shared")
    assert demo.network.get_network(outside.id).is_shared
    assert all_forms() == {(202, "")}
