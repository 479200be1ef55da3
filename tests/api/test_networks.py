"""Networks, security groups and the older way to rename (REST contract, sections 7 and 14)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.edge import OTHER, Edge, error
from zun.domain.lifecycle import Status

C = "/v1/containers"
NEUTRON = "no network service (Neutron)"


def entry(addr: str, port: str | None, version: int = 4) -> dict[str, Any]:
    return {"addr": addr, "version": version, "port": port, "subnet_id": f"subnet-{version}", "preserve_on_delete": False}


ADDRESSES = {"bridge": [entry("172.17.0.2", "p1"), entry("fd00::2", "p1", 6)], "other": [entry("10.0.0.9", "p2")]}


# -- rename ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", list(Status))
def test_a_container_is_renamed_whatever_its_status(edge: Edge, status: Status) -> None:
    row = edge.add_container(status=status)
    answer = edge("POST", f"{C}/web/rename?name=shop", at="1.13")
    assert (answer.status_code, answer.json["name"], answer.json["uuid"]) == (200, "shop", row.uuid)
    assert [each.name for each in edge.rows()] == ["shop"]


def test_the_name_that_it_has_is_409(edge: Edge) -> None:
    row = edge.add_container()
    found = error(edge("POST", f"{C}/web/rename?name=web", at="1.1"))
    assert (found["status"], found["detail"]) == (409, f"Container {row.uuid} is called web already.")


@pytest.mark.parametrize("query", ["", "?name=", "?name=x", "?name=-dash", "?name=a/b", f"?name={'x' * 256}", "?name=good&more=1"])
def test_a_name_that_is_none_is_400(edge: Edge, query: str) -> None:
    edge.add_container()
    assert error(edge("POST", f"{C}/web/rename{query}", at="1.13"))["status"] == 400
    assert [each.name for each in edge.rows()] == ["web"]


# -- the list -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.13", "1.17"])
def test_an_item_for_each_address_before_1_18(edge: Edge, version: str) -> None:
    edge.add_container(addresses=ADDRESSES)
    assert edge("GET", f"{C}/web/network_list", at=version).json == {
        "networks": [
            {"net_id": "bridge", "port_id": "p1", "subnet_id": "subnet-4", "version": 4, "ip_address": "172.17.0.2"},
            {"net_id": "bridge", "port_id": "p1", "subnet_id": "subnet-6", "version": 6, "ip_address": "fd00::2"},
            {"net_id": "other", "port_id": "p2", "subnet_id": "subnet-4", "version": 4, "ip_address": "10.0.0.9"},
        ]
    }


def test_an_item_for_each_port_from_1_18_on(edge: Edge) -> None:
    edge.add_container(addresses=ADDRESSES)
    assert edge("GET", f"{C}/web/network_list", at="1.18").json == {
        "networks": [
            {
                "net_id": "bridge",
                "port_id": "p1",
                "fixed_ips": [
                    {"subnet_id": "subnet-4", "version": 4, "ip_address": "172.17.0.2"},
                    {"subnet_id": "subnet-6", "version": 6, "ip_address": "fd00::2"},
                ],
            },
            {"net_id": "other", "port_id": "p2", "fixed_ips": [{"subnet_id": "subnet-4", "version": 4, "ip_address": "10.0.0.9"}]},
        ]
    }


def test_a_container_without_addresses_is_in_no_network(edge: Edge) -> None:
    edge.add_container(status=Status.CREATING, host=None)
    assert edge("GET", f"{C}/web/network_list", at="1.40").json == {"networks": []}


# -- what needs Neutron ---------------------------------------------------------------------------

#: verb, microversion, query, the field that is to be blamed
CHANGES = [
    ("network_attach", "1.8", "", "network"),
    ("network_attach", "1.40", "?network=net", "network"),
    ("network_attach", "1.40", "?port=port&fixed_ip=10.0.0.9", "port"),
    ("network_attach", "1.40", "?fixed_ip=fd00::9", "fixed_ip"),
    ("network_detach", "1.6", "?network=net", "network"),
    ("network_detach", "1.40", "?port=port", "port"),
    ("add_security_group", "1.1", "?name=web", "name"),
    ("remove_security_group", "1.14", "?name=web", "name"),
]


@pytest.mark.parametrize(("verb", "version", "query", "field"), CHANGES)
def test_what_needs_neutron_is_refused_by_name_and_leaves_no_action(edge: Edge, verb: str, version: str, query: str, field: str) -> None:
    edge.add_container()
    before = edge.rows()
    found = error(edge("POST", f"{C}/web/{verb}{query}", at=version))
    assert (found["status"], found["code"]) == (400, "container.not-offered")
    assert found["detail"].startswith(f"'{field}' cannot be honoured: ") and NEUTRON in found["detail"]
    assert edge("GET", f"{C}/web/container_actions").json == {"containerActions": []}
    assert edge.rows() == before


@pytest.mark.parametrize(
    ("verb", "version", "query", "field"),
    [
        ("network_attach", "1.40", "?network=a&port=b", "port"),
        ("network_attach", "1.40", "?network=", "network"),
        ("network_attach", "1.40", "?fixed_ip=10.0.0.999", "fixed_ip"),
        ("network_attach", "1.40", "?subnet=a", "subnet"),
        ("network_detach", "1.40", "", "network"),
        ("network_detach", "1.40", "?network=a&port=b", "network"),
        ("network_detach", "1.40", f"?port={'p' * 256}", "port"),
        ("network_detach", "1.40", "?fixed_ip=10.0.0.9", "fixed_ip"),
        ("add_security_group", "1.14", "", "name"),
        ("add_security_group", "1.14", "?name=", "name"),
        ("remove_security_group", "1.14", "?name=a&b=c", "b"),
    ],
)
def test_arguments_are_checked_first(edge: Edge, verb: str, version: str, query: str, field: str) -> None:
    edge.add_container()
    found = error(edge("POST", f"{C}/web/{verb}{query}", at=version))
    assert found["status"] == 400 and f"'{field}'" in found["detail"] and NEUTRON not in found["detail"]


@pytest.mark.parametrize("verb", ["add_security_group", "remove_security_group"])
def test_thing_then_policy_then_state_then_arguments(edge: Edge, verb: str) -> None:
    edge.add_container(status=Status.ERROR)
    edge.add_container("theirs", project_id=OTHER)
    assert error(edge("POST", f"{C}/theirs/{verb}", at="1.14", role="reader"))["status"] == 404
    assert error(edge("POST", f"{C}/web/{verb}", at="1.14", role="reader"))["code"] == "container.policy-not-authorized"
    assert error(edge("POST", f"{C}/web/{verb}", at="1.14"))["code"] == "container.invalid-state-exception"


@pytest.mark.parametrize(
    ("method", "path", "first", "last"),
    [
        ("POST", f"{C}/web/rename", "1.1", "1.13"),
        ("POST", f"{C}/web/add_security_group", "1.1", "1.14"),
        ("POST", f"{C}/web/remove_security_group", "1.1", "1.14"),
        ("POST", f"{C}/web/network_detach", "1.6", "1.41"),
        ("POST", f"{C}/web/network_attach", "1.8", "1.41"),
        ("GET", f"{C}/web/network_list", "1.13", "1.41"),
        ("DELETE", "/v1/networks/net", "1.27", "1.41"),
    ],
)
def test_each_call_is_there_in_its_microversions_only(edge: Edge, method: str, path: str, first: str, last: str) -> None:
    edge.add_container()
    for version in (first, last):
        assert edge(method, path, at=version, role="admin").status_code != 406
    for minor in {int(first[2:]) - 1, int(last[2:]) + 1} - {0, 42}:
        assert edge(method, path, at=f"1.{minor}", role="admin").status_code == 406


# -- /networks ------------------------------------------------------------------------------------


def test_a_network_of_neutron_cannot_be_used_here(edge: Edge) -> None:
    found = error(edge("POST", "/v1/networks", json={"name": None, "neutron_net_id": "net-1"}, role="admin"))
    assert (found["status"], found["code"]) == (400, "container.not-offered")
    assert "'neutron_net_id'" in found["detail"] and NEUTRON in found["detail"]
    found = error(edge("DELETE", "/v1/networks/net-1", role="admin", at="1.27"))
    assert (found["status"], found["code"]) == (404, "container.network-not-found")


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "neutron_net_id"), ({"neutron_net_id": "n"}, "neutron_net_id"), ({"neutron_net_id": "net", "driver": "x"}, "driver")],
)
def test_a_network_that_is_asked_for_badly(edge: Edge, body: dict[str, Any], field: str) -> None:
    found = error(edge("POST", "/v1/networks", json=body, role="admin"))
    assert found["status"] == 400 and f"'{field}'" in found["detail"]


def test_networks_are_not_listed_or_shown(edge: Edge) -> None:
    assert edge("GET", "/v1/networks", role="admin").status_code == 405
    assert edge("GET", "/v1/networks/net", role="admin").status_code == 405
