"""Both sides as a client sees them, and the one who asks: a user of a project that is there for the bench alone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import openstack

from bench.client import Client, Token
from bench.cloud import ours, peer
from cloud.world import REGION, World

NAME = "bench"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: where containers are made, and where its API under uWSGI has a thousand rows."""

    name: str
    containers: Token
    rows: Token


@dataclass(frozen=True, slots=True)
class Customer:
    """A project, its network, and a token that both sides take."""

    project: str
    network: str
    token: str

    def sides(self, world: World) -> tuple[Side, Side]:
        """Ours and the peer."""
        controller, host = world.controller.address, peer.node(world).address
        return (
            Side("zun", Token(controller, world.port("container"), self.token), Token(controller, ours.PORT, self.token)),
            Side("peer", Token(host, peer.PORT, self.token), Token(host, peer.PORT, self.token)),
        )


def customer(world: World) -> Customer:
    """See that there is one, with a network of one subnet, and a new token."""
    password = secrets.token_urlsafe(18)
    with admin(world) as cloud:
        identity, network = cloud.identity, cloud.network
        project = identity.find_project(NAME) or identity.create_project(name=NAME, domain_id="default")
        if (left := identity.find_user(NAME)) is not None:
            # Not a new password: tokens of the second in which that is set are not good.
            identity.delete_user(left)
        user = identity.create_user(name=NAME, password=password, domain_id="default")
        identity.assign_project_role_to_user(project, user, identity.find_role("member"))
        found = network.find_network(NAME, project_id=project.id)
        if found is None:
            found = network.create_network(name=NAME, project_id=project.id)
            network.create_subnet(name=NAME, network_id=found.id, project_id=project.id, ip_version=4, cidr="10.20.0.0/22")
    account = {**world.account("demo"), "username": NAME, "password": password, "project_name": NAME}
    with openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **account) as mine:
        return Customer(project.id, found.id, mine.session.get_token())


def forget(world: World) -> None:
    """Remove the customer and what is his; none there is as good."""
    with admin(world) as cloud:
        identity, network = cloud.identity, cloud.network
        project = identity.find_project(NAME)
        if project is not None:
            for found in network.networks(name=NAME, project_id=project.id):
                # What was interrupted may have left some; those of the network's own go with it.
                for port in network.ports(network_id=found.id):
                    if not port.device_owner.startswith("network:"):
                        network.delete_port(port)
                network.delete_network(found)
            identity.delete_project(project)
        user = identity.find_user(NAME)
        if user is not None:
            identity.delete_user(user)


def admin(world: World) -> Any:
    """The cloud as its administrator sees it."""
    return openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **world.account("admin"))


def alone(world: World, host: str, *, disabled: bool) -> None:
    """Take a host of ours out of service for a while, or back into it: the peer has one host, so that is what we have too."""
    with admin(world) as cloud:
        access = Token(world.controller.address, world.port("container"), cloud.session.get_token())
    with Client(access) as client:
        verb = "disable" if disabled else "enable"
        client.call("PUT", f"/v1/services/{verb}", {"host": host, "binary": "zun-compute"})
