"""The operator's commands of the official client, unmodified. The service is shared: what is changed is put back."""

import uuid

import pytest

from zun.domain.host import COMPUTE, Host, Service

pytestmark = pytest.mark.whole

CONFIGURED = {"containers": 40, "cpu": 20, "memory": 51_200, "disk": 100}


def hosts_of(service):
    return sorted(each["host"] for each in service.get("/services").json()["services"])


def test_hosts(openstack, service):
    (row,) = openstack("host", "list", "-f", "json", "--limit", "1", "--sort-key", "hostname", "--sort-dir", "desc")
    shown = openstack("host", "show", "-f", "json", row["hostname"])
    assert (shown["uuid"], shown["mem_total"], shown["cpus"]) == (row["uuid"], row["mem_total"], row["cpus"])
    assert openstack("host", "show", "-f", "json", row["uuid"])["os_type"] == "linux"
    last = openstack("host", "list", "-f", "json")[-1]
    assert openstack("host", "list", "-f", "json", "--marker", last["uuid"]) == []
    assert openstack("host", "show", "nowhere", succeeds=False).startswith("Compute host nowhere could not be found. (HTTP 404)")


def test_quotas(openstack, service):
    project = uuid.uuid4().hex
    assert openstack("quota", "update", "-f", "json", "--containers", "3", "--memory", "-1", project) == {
        **CONFIGURED,
        "containers": 3,
        "memory": -1,
    }
    assert openstack("quota", "update", "-f", "json", "--cpu", "7", "--disk", "8", project) == {
        "containers": 3,
        "memory": -1,
        "cpu": 7,
        "disk": 8,
    }
    usages = openstack("quota", "get", "-f", "json", "--usages", project)
    assert usages["containers"] == {"limit": 3, "in_use": 0}
    assert usages["memory"] == {"limit": -1, "in_use": 0}
    assert openstack("quota", "default", "-f", "json", project) == CONFIGURED
    assert "has been accepted" in openstack("quota", "delete", project)
    assert openstack("quota", "get", "-f", "json", project) == CONFIGURED


def test_quota_classes(openstack):
    # Another class than the default, because a class once made stays: there is no call that takes it away.
    assert openstack("quota", "class", "update", "-f", "json", "--cpu", "7", "gold") == {**CONFIGURED, "cpu": 7}
    assert openstack("quota", "class", "get", "-f", "json", "gold") == {**CONFIGURED, "cpu": 7}
    limits = {"containers": 1, "cpu": 2, "memory": 3, "disk": 4}
    assert (
        openstack("quota", "class", "update", "-f", "json", "--containers", "1", "--cpu", "2", "--memory", "3", "--disk", "4", "lead")
        == limits
    )


def test_a_service_is_disabled_forced_down_and_put_back(openstack, service):
    with service.host_to_spare() as host:
        told = openstack("service", "disable", "-f", "json", "--reason", "new disk", host, COMPUTE)
        assert told == {"Host": host, "Binary": COMPUTE, "Disabled": True, "Disabled Reason": "new disk"}
        told = openstack("service", "forcedown", "-f", "json", host, COMPUTE)
        assert told == {"Host": host, "Binary": COMPUTE, "Forced_down": True}
        listed = next(each for each in openstack("service", "list", "-f", "json") if each["Host"] == host)
        assert (listed["State"], listed["Disabled"], listed["Disabled Reason"]) == ("down", True, "new disk")
        refused = service.wait(service.create(host=host), "Error")
        assert "service filter" in refused["status_reason"]
        service.delete(f"/containers/{refused['uuid']}")
        assert openstack("service", "forcedown", "-f", "json", "--unset", host, COMPUTE)["Forced_down"] is False
        told = openstack("service", "enable", "-f", "json", host, COMPUTE)
        assert (told["Disabled"], told["Disabled Reason"]) == (False, None)
    made = service.create()
    service.wait(made, "Running")
    service.delete(f"/containers/{made}", params={"force": True})
    service.wait_gone(made)


def test_a_service_that_is_not_expected_back_is_deleted(openstack, service):
    known = hosts_of(service)
    store = service.store()
    try:
        with store.write() as tx:
            tx.add(Host(uuid=str(uuid.uuid4()), hostname="retired"))
            tx.add(Service(uuid=str(uuid.uuid4()), host="retired", binary=COMPUTE))
    finally:
        store.close()
    assert hosts_of(service) == sorted([*known, "retired"])
    assert "has been accepted" in openstack("service", "delete", "retired", COMPUTE)
    assert hosts_of(service) == known
    assert "retired" not in service.get("/hosts").text
    # The client prints what the server says, and succeeds all the same.
    assert "There is no service zun-compute on host retired" in openstack("service", "delete", "retired", COMPUTE, refused=True)
