"""In which order the cloud comes up: as much at once as the services allow."""

from __future__ import annotations

from functools import partial

from cloud import daemons, fabric, furniture, schemas, software
from cloud.services import (
    agents,
    cinder,
    docker,
    glance,
    keystone,
    mariadb,
    memcached,
    neutron,
    openvswitch,
    placement,
    rabbitmq,
    registry,
    zun,
)
from cloud.steps import Step
from cloud.world import HOSTS, NETWORK, World

_SWITCHES = (NETWORK, *HOSTS)


def steps(world: World) -> list[Step]:
    """All there is to do; each step does nothing where all is well already."""
    return [*_ground(world), *_tables(world), *_services(world), *_agents(world), *_furniture(world), *_ours(world)]


def _ground(world: World) -> list[Step]:
    return [
        Step("packages of the distribution", software.install_packages),
        Step("environment of the services", partial(software.install_environment, world.venv), ["packages of the distribution"]),
        Step("nodes and wires", partial(_wire, world), ["packages of the distribution"]),
        Step("mariadb", partial(mariadb.start, world), ["nodes and wires"]),
        Step("rabbitmq", partial(rabbitmq.start, world), ["nodes and wires"]),
        Step("memcached", partial(memcached.start, world), ["nodes and wires"]),
        Step("registry", partial(registry.start, world), ["nodes and wires"]),
        Step("image in the registry", partial(registry.fill, world), ["registry"]),
        *(Step(f"open vswitch on {name}", partial(openvswitch.start, world, world.node(name)), ["nodes and wires"]) for name in _SWITCHES),
        *(Step(f"docker on {name}", partial(docker.start, world, world.node(name)), ["nodes and wires"]) for name in HOSTS),
    ]


def _wire(world: World) -> bool:
    daemons.shim(world)
    return fabric.make(world)


def _tables(world: World) -> list[Step]:
    needs = ["mariadb", "environment of the services"]
    return [Step(f"tables of {name}", partial(schemas.make, world, name), needs) for name in schemas.MAKERS]


def _services(world: World) -> list[Step]:
    return [
        Step("keystone's first administrator", partial(keystone.bootstrap, world), ["tables of keystone"]),
        Step("keystone", partial(keystone.start, world), ["keystone's first administrator", "memcached"]),
        Step("glance", partial(glance.start, world), ["tables of glance"]),
        Step("placement", partial(placement.start, world), ["tables of placement"]),
        Step("neutron", partial(neutron.start, world), ["tables of neutron", "rabbitmq"]),
        Step("neutron's rpc server", partial(neutron.start_rpc, world), ["tables of neutron", "rabbitmq"]),
        Step("cinder", partial(cinder.start, world), ["tables of cinder", "rabbitmq"]),
        Step("cinder's scheduler", partial(cinder.start_scheduler, world), ["tables of cinder", "rabbitmq"]),
        Step("cinder's volume service", partial(cinder.start_volume, world), ["tables of cinder", "rabbitmq"]),
    ]


def _agents(world: World) -> list[Step]:
    return [
        *(
            Step(
                f"switch agent on {name}",
                partial(agents.start_switch, world, world.node(name)),
                [f"open vswitch on {name}", "neutron's rpc server"],
            )
            for name in _SWITCHES
        ),
        Step("dhcp agent", partial(agents.start_dhcp, world), [f"open vswitch on {NETWORK}", "neutron's rpc server"]),
        Step("l3 agent", partial(agents.start_l3, world), [f"open vswitch on {NETWORK}", "neutron's rpc server"]),
        Step("metadata agent", partial(agents.start_metadata, world), ["nodes and wires", "neutron's rpc server"]),
        Step(
            "reports of all agents",
            partial(agents.await_reports, world),
            [*(f"switch agent on {name}" for name in _SWITCHES), "dhcp agent", "l3 agent", "metadata agent"],
        ),
        Step(
            "reports of cinder's services",
            partial(cinder.await_reports, world),
            ["cinder's scheduler", "cinder's volume service"],
        ),
    ]


def _furniture(world: World) -> list[Step]:
    return [
        Step("keys", partial(furniture.write_keys, world)),
        Step("users and catalog", partial(furniture.furnish, world, "identity"), ["keystone"]),
        Step("networks", partial(furniture.furnish, world, "networks"), ["users and catalog", "neutron", "reports of all agents"]),
        Step(
            "volume types",
            partial(furniture.furnish, world, "volumes"),
            ["users and catalog", "cinder", "reports of cinder's services"],
        ),
    ]


def _ours(world: World) -> list[Step]:
    tables = "tables of zun"
    return [
        Step("environment of zun", zun.install, ["packages of the distribution"]),
        Step(tables, partial(zun.schema, world), ["environment of zun", "mariadb"]),
        Step("zun's api", partial(zun.start_api, world), [tables, "rabbitmq", "keystone"]),
        Step("zun's conductors", partial(zun.start_conductor, world), [tables, "rabbitmq", "placement", "users and catalog"]),
        Step("zun's stream proxy", partial(zun.start_proxy, world), [tables, "rabbitmq"]),
        *(
            Step(f"zun's agent on {name}", partial(zun.start_compute, world, world.node(name)), [tables, "rabbitmq", f"docker on {name}"])
            for name in HOSTS
        ),
    ]
