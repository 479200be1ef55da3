"""Wires of what is no more: they go when their host returns, and no others do."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cloud import daemons
from cloud.nodes import Node
from cloud.services import zun as service
from cloud.world import World
from tests.cloud.containers import Zun
from zun.drivers.runtime import labels
from zun.drivers.runtime.docker_http import DockerHttp


@contextmanager
def foreign(host: Node) -> Iterator[str]:
    """A wire that another service of this cloud has plugged, as Nova does: with a port and an instance of its own written on it."""
    port = str(uuid.uuid4())
    name = f"tap{port}"[:14]
    host.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"vm-{port}"[:14])
    ids = [f"external_ids:iface-id={port}", f"external_ids:vm-uuid={uuid.uuid4()}"]
    host.run("ovs-vsctl", "add-port", "br-int", name, "--", "set", "Interface", name, *ids)
    try:
        yield name
    finally:
        host.run("ovs-vsctl", "--if-exists", "del-port", "br-int", name)
        host.run("ip", "link", "delete", name)


@pytest.mark.whole
def test_wires_of_what_was_deleted_while_its_host_was_down_go_when_it_returns(cloud: World, admin: Any, demo: Any) -> None:
    """Its engine has forgotten it, too, and so has Neutron by then."""
    zun, operator = Zun(cloud, demo), Zun(cloud, admin)
    made = zun.accepted()
    assert zun.settle(made)["status"] == "Running"
    (port,) = admin.network.ports(device_id=made)
    host, tap = cloud.node(port.binding_host_id), f"tap{port.id}"[:14]
    query = {"binary": "zun-compute", "host": host.name}
    with foreign(host) as other:
        assert {tap, other} <= _in_switch(host) & _links(host)
        daemons.stop(host, "zun-compute", 0)
        try:
            operator.call("PUT", "/services/force_down", params={**query, "forced_down": "true"})
            asked = {"force": "true", "all_projects": "true"}
            assert operator.call("DELETE", f"/containers/{made}", params=asked).status_code == 204
            zun.gone(made)
            _until(lambda: not list(admin.network.ports(device_id=made)))
            _forget(cloud, host, made)
        finally:
            operator.call("PUT", "/services/force_down", params={**query, "forced_down": "false"})
            service.start_compute(cloud, host)
        _until(lambda: tap not in _in_switch(host) | _links(host))
        assert other in _in_switch(host) & _links(host)


def _in_switch(host: Node) -> set[str]:
    return set(host.run("ovs-vsctl", "list-ports", "br-int").split())


def _links(host: Node) -> set[str]:
    return {line.split()[0].partition("@")[0] for line in host.run("ip", "-brief", "link").splitlines()}


def _forget(cloud: World, host: Node, container: str) -> None:
    """All of a container's objects, and its sandbox's, are gone from the engine."""
    engine = DockerHttp(str(cloud.engine(host.name)), timeout=60)
    try:
        there = engine.call("GET", "/containers/json", query={"all": "true"}).data
        (sandbox,) = {each["Labels"][labels.SANDBOX] for each in there if each["Labels"].get(labels.CONTAINER) == container}
        for each in there:
            if each["Labels"].get(labels.SANDBOX) == sandbox:
                engine.call("DELETE", f"/containers/{each['Id']}", query={"force": "true"})
    finally:
        engine.close()


def _until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.3)
