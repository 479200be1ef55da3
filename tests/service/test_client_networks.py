"""Networks, security groups and floating IPs by the official client, where there is no Neutron: what the user is told."""

import pytest

pytestmark = pytest.mark.embedded("there is a Neutron: test_client_cloud.py")

NO_NEUTRON = "cannot be honoured: this deployment has no network service (Neutron); containers get an address on the engine's own network."


@pytest.fixture
def web(service):
    uuid = service.create(name="web")
    service.wait(uuid, "Running")
    yield uuid
    service.delete(f"/containers/{uuid}", params={"force": True})
    service.wait_gone(uuid)


def test_networks_of_a_container(openstack, service, web):
    # A fault of the client: its formatter of addresses is none that osc-lib takes any more. The library's call is right.
    assert openstack("network", "list", "web", succeeds=False) == "Invalid formatter provided.\n"
    address = next(iter(service.show(web)["addresses"].values()))[0]["addr"]
    (network,) = service.get("/containers/web/network_list").json()["networks"]
    assert network["fixed_ips"][0]["ip_address"] == address


def test_networks_cannot_be_changed(openstack, web):
    # The client prints what the service says, and succeeds all the same.
    for option, told in {
        "network": openstack("network", "attach", "--network", "private", "--fixed-ip", "10.0.0.5", "web", refused=True),
        "port": openstack("network", "attach", "--port", "mine", "web", refused=True),
    }.items():
        assert told.startswith(f"Attach network to container web failed: '{option}' {NO_NEUTRON} (HTTP 400)")
    for option, told in {
        "network": openstack("network", "detach", "--network", "private", "web", refused=True),
        "port": openstack("network", "detach", "--port", "mine", "web", refused=True),
    }.items():
        assert told.startswith(f"Detach network for container web failed: '{option}' {NO_NEUTRON} (HTTP 400)")
    assert "'network': must be given, or 'port' in its place" in openstack("network", "detach", "web", refused=True)


def test_security_groups_until_1_14(openstack, web):
    told = openstack("add", "security", "group", "web", "default", at="1.14", refused=True)
    assert told.startswith(f"Add security group for container web failed: 'name' {NO_NEUTRON} (HTTP 400)")
    told = openstack("remove", "security", "group", "web", "default", at="1.14", refused=True)
    assert told.startswith(f"Remove security group from container web failed: 'name' {NO_NEUTRON} (HTTP 400)")


def test_security_groups_since(openstack, web):
    # The commands are left in the client though the calls are gone: groups are changed on ports, in Neutron.
    for told in (
        openstack("add", "security", "group", "web", "default", refused=True),
        openstack("remove", "security", "group", "web", "default", refused=True),
    ):
        assert "failed: Not Acceptable (HTTP 406)" in told


def test_floating_ips_are_asked_of_neutron(openstack, web):
    # Nothing of it is asked of us but the container. With one endpoint for everything, the client's question to Neutron comes here,
    # where there is no such path; with a Keystone that knows of no Neutron it would end there.
    for told in (
        openstack("add", "floating", "ip", "web", "192.0.2.1", succeeds=False),
        openstack("add", "floating", "ip", "--fixed-ip-address", "10.0.0.5", "web", "192.0.2.1", succeeds=False),
        openstack("remove", "floating", "ip", "192.0.2.1", succeeds=False),
    ):
        assert told.startswith("NotFoundException: 404")
        assert "/v2.0/floatingips" in told
