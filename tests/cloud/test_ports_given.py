"""Ports of Neutron's that their user has made, and given to a container: what he has made of them is left as it is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cloud.containers import Zun
from tests.cloud.networks import chosen, host_of, operator, second, zun

__all__ = ["chosen", "operator", "second", "zun"]

#: what changes with whom a port serves, and with time
_TURNS = {"status", "updated_at", "revision_number"}
#: what is ours to say while a container has it
_LENT = {"device_id", "device_owner", "binding_host_id", "binding_profile", "binding_vif_type", "binding_vif_details"}


@pytest.fixture
def several(demo: Any, second: Any) -> Iterator[Any]:
    """A port with several addresses, and with others that it may speak for."""
    fixed = [{"ip_address": f"10.20.0.{number}"} for number in (40, 41, 42)]
    pairs = [{"ip_address": "10.20.0.99"}, {"ip_address": "192.168.99.0/24", "mac_address": "fa:16:3e:00:00:99"}]
    made = demo.network.create_port(network_id=second.id, name=f"several-{uuid.uuid4()}", fixed_ips=fixed, allowed_address_pairs=pairs)
    yield made
    demo.network.delete_port(made)


@pytest.fixture
def unguarded(demo: Any, chosen: Any) -> Iterator[Any]:
    """A port that nobody guards: it has no security groups."""
    more = {"is_port_security_enabled": False, "security_group_ids": [], "mac_address": "fa:16:3e:aa:bb:cc", "description": "a router's"}
    made = demo.network.create_port(
        network_id=chosen.id, name=f"unguarded-{uuid.uuid4()}", fixed_ips=[{"ip_address": "fd00:67::5"}], **more
    )
    yield made
    demo.network.delete_port(made)


def said(port: Any, besides: set[str]) -> dict[str, Any]:
    return {name: value for name, value in port.to_dict().items() if name not in besides | {"location"}}


def test_a_port_is_as_its_user_has_made_it_while_a_container_has_it_and_afterwards(
    zun: Zun, operator: Zun, demo: Any, admin: Any, several: Any, unguarded: Any, chosen: Any
) -> None:
    before = [admin.network.get_port(port.id) for port in (several, unguarded)]
    with zun.running(nets=[{"port": several.id}, {"port": unguarded.name}]) as one:
        lent = [admin.network.get_port(port.id) for port in before]
        for was, now in zip(before, lent, strict=True):
            assert said(now, _TURNS | _LENT) == said(was, _TURNS | _LENT)
            assert (now.device_id, now.device_owner) == (one["uuid"], "compute:zun")
            assert (now.binding_host_id, now.status) == (host_of(operator, one), "ACTIVE")
        (subnet,) = {each["subnet_id"] for each in several.fixed_ips}
        common = {"port": several.id, "subnet_id": subnet, "version": 4, "preserve_on_delete": True}
        assert sorted(one["addresses"][several.network_id], key=lambda each: each["addr"]) == [
            {"addr": f"10.20.0.{number}", **common} for number in (40, 41, 42)
        ]
        assert [each["addr"] for each in one["addresses"][chosen.id]] == ["fd00:67::5"]
        inside = [zun.run(one["uuid"], f"ip addr show eth{place}") for place in (0, 1)]
        assert all(f"10.20.0.{number}/24" in inside[0] for number in (40, 41, 42))
        assert "fd00:67::5/64" in inside[1]
        assert unguarded.mac_address in inside[1]
    after = [admin.network.get_port(port.id) for port in before]
    assert [said(port, _TURNS) for port in after] == [said(port, _TURNS) for port in before]
    assert (after[0].device_id, after[0].binding_host_id, after[0].binding_vif_type) == ("", "", "unbound")
