"""Furnishes the cloud over its own APIs: ``furnish.py STAGE < PLAN``, where PLAN is what ``cloud.furniture`` wrote, as JSON.

Everything may be there already: what is, stays. One process for each stage, because each command of ``openstack`` takes two seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import openstack

Plan = Mapping[str, Any]

#: a type of volumes
FORMATTED = "formatted"
#: seconds that a service may take to know of another
_PATIENCE = 60


def identity(cloud: Any, plan: Plan) -> None:
    """Projects, users, their roles, and the catalog."""
    keystone = cloud.identity
    roles = {role.name: role for role in keystone.roles()}
    projects = {project.name: project for project in keystone.projects()}
    users = {user.name: user for user in keystone.users()}
    for name in plan["projects"]:
        if name not in projects:
            projects[name] = keystone.create_project(name=name, domain_id="default")
    for name, user in plan["users"].items():
        if name not in users:
            users[name] = keystone.create_user(name=name, password=user["password"], domain_id="default")
        for role in user["roles"]:
            keystone.assign_project_role_to_user(projects[user["project"]], users[name], roles[role])
    services = {service.type: service for service in keystone.services()}
    known = {(endpoint.service_id, endpoint.interface) for endpoint in keystone.endpoints()}
    for entry in plan["catalog"]:
        service = services.get(entry["type"]) or keystone.create_service(type=entry["type"], name=entry["name"])
        for interface in ("public", "internal", "admin"):
            if (service.id, interface) not in known:
                keystone.create_endpoint(service_id=service.id, interface=interface, url=entry["url"], region_id=plan["region"])


def networks(cloud: Any, plan: Plan) -> None:
    """A public network, and for a project a network of its own behind a router."""
    neutron = cloud.network
    public = neutron.find_network("public") or neutron.create_network(
        name="public",
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network=plan["physical"],
    )
    prefix = plan["public"]
    _subnet(
        neutron,
        "public-v4",
        public,
        cidr=f"{prefix}.0/24",
        gateway_ip=f"{prefix}.1",
        is_dhcp_enabled=False,
        allocation_pools=[{"start": f"{prefix}.100", "end": f"{prefix}.199"}],
    )
    owner = cloud.identity.find_project(plan["owner"]).id
    private = neutron.find_network("private", project_id=owner) or neutron.create_network(name="private", project_id=owner)
    mine = {"project_id": owner}
    v4 = _subnet(neutron, "private-v4", private, cidr="10.10.0.0/24", dns_nameservers=["10.10.0.53"], **mine)
    modes = {"ip_version": 6, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    v6 = _subnet(neutron, "private-v6", private, cidr="fd00:10:10::/64", **modes, **mine)
    router = neutron.find_router("router", project_id=owner) or neutron.create_router(
        name="router", project_id=owner, external_gateway_info={"network_id": public.id}
    )
    attached = {address["subnet_id"] for port in neutron.ports(device_id=router.id) for address in port.fixed_ips}
    for subnet in (v4, v6):
        if subnet.id not in attached:
            neutron.add_interface_to_router(router, subnet_id=subnet.id)


def volumes(cloud: Any, plan: Plan) -> None:
    """Types of volumes: for one host, for many at once, and with a file system. No bounds: they are not what is tried here. There is a
    place for volumes afterwards; raises TimeoutError."""
    cinder = cloud.block_storage
    unbounded = {"volumes": -1, "snapshots": -1, "gigabytes": -1}
    cinder.put("/os-quota-class-sets/default", json={"quota_class_set": unbounded}).raise_for_status()
    own = {"volume_backend_name": "files"}
    wanted = {"files": own, "shared": {**own, "multiattach": "<is> True"}, FORMATTED: {**own, "files:filesystem": "ext4"}}
    known = {each.name for each in cinder.types()}
    for name, specifications in wanted.items():
        if name not in known:
            cinder.create_type(name=name, extra_specs=specifications)
    until = time.monotonic() + _PATIENCE
    while not list(cinder.backend_pools()):
        if time.monotonic() > until:
            raise TimeoutError("Cinder's scheduler knows of no place for volumes")
        time.sleep(0.3)


def testers(cloud: Any, plan: Plan) -> None:
    """Users for acceptance tests, each with a project and a network of its name. Their volumes come with a file system: the tests mount
    what they have just made, and Zun makes a file system on no volume of a user's."""
    keystone, neutron, cinder = cloud.identity, cloud.network, cloud.block_storage
    formatted = next(each.id for each in cinder.types() if each.name == FORMATTED)
    roles = {role.name: role for role in keystone.roles()}
    projects = {project.name: project for project in keystone.projects()}
    users = {user.name: user for user in keystone.users()}
    for tester in plan["testers"]:
        name = tester["name"]
        project = projects.get(name) or keystone.create_project(name=name, domain_id="default")
        user = users.get(name) or keystone.create_user(name=name, password=tester["password"], domain_id="default")
        keystone.assign_project_role_to_user(project, user, roles[tester["role"]])
        network = neutron.find_network(name, project_id=project.id) or neutron.create_network(name=name, project_id=project.id)
        _subnet(neutron, name, network, cidr="10.99.0.0/24", project_id=project.id)
        body = {"default_type": {"volume_type": formatted}}
        cinder.put(f"/default-types/{project.id}", json=body, microversion="3.62").raise_for_status()


def _subnet(neutron: Any, name: str, network: Any, **fields: Any) -> Any:
    found = neutron.find_subnet(name, network_id=network.id)
    return found or neutron.create_subnet(name=name, network_id=network.id, **{"ip_version": 4, **fields})


STAGES: Mapping[str, Callable[[Any, Plan], None]] = {"identity": identity, "networks": networks, "volumes": volumes, "testers": testers}


def main(arguments: Sequence[str]) -> None:
    """Do a stage."""
    plan = json.load(sys.stdin)
    STAGES[arguments[0]](openstack.connect(region_name=plan["region"], load_yaml_config=False, load_envvars=False, **plan["admin"]), plan)


if __name__ == "__main__":
    main(sys.argv[1:])
