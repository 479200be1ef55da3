"""Neutron on the controller: the API, and the server that its agents talk to."""

from __future__ import annotations

from pathlib import Path

from cloud import daemons, ini
from cloud.daemons import Daemon
from cloud.ini import Settings
from cloud.nodes import Node
from cloud.services import rabbitmq, settings
from cloud.world import World, write_private

SERVICE = "neutron"
#: What provider networks are called that reach this machine; flat.
PHYSICAL = "public"
#: The queue of what agents ask; while nobody listens to it, they would wait for minutes.
_AGENTS_QUEUE = "q-l3-plugin"
_UNBOUNDED = [
    f"quota_{resource}"
    for resource in ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule", "rbac_policy")
]


def schema(world: World) -> None:
    """Make its tables."""
    for file, text in _files(world).items():
        write_private(file, text)
    daemons.run(world, "neutron-schema", world.program("neutron-db-manage"), *_options(world), "upgrade", "heads")


def start(world: World) -> bool:
    """See that the API answers."""
    folder = settings.folder(world.controller, SERVICE)
    environment = {"OS_NEUTRON_CONFIG_DIR": str(folder), "OS_NEUTRON_CONFIG_FILES": ";".join(file.name for file in _files(world))}
    # A thread that asks while another reads the policy for the first time finds it empty, and its caller nothing that there is.
    application, first = "neutron.wsgi.api:application", "neutron.policy:init"
    daemon = settings.wsgi(world, "network", application, _files(world), environment, workers=2, first=first)
    return daemons.start(world, daemon)


def start_rpc(world: World) -> bool:
    """See that the agents' questions are answered."""
    command = [world.program("neutron-rpc-server"), *_options(world)]
    ready = lambda: rabbitmq.consumers(world, _AGENTS_QUEUE) > 0  # noqa: E731
    return daemons.start(world, Daemon("neutron-rpc", world.controller, command, ready, _files(world)))


def of_node(world: World, node: Node) -> Settings:
    """What the server and every agent have in common; ``host`` is the name that ports are bound to."""
    common = settings.common(world, SERVICE)
    return ini.merged(
        {name: common[name] for name in ("DEFAULT", "oslo_messaging_rabbit")},
        {
            "DEFAULT": {
                "host": node.name,
                "state_path": str(settings.state(node, SERVICE)),
                "core_plugin": "ml2",
                "service_plugins": ["router"],
            },
            "oslo_concurrency": {"lock_path": str(settings.state(node, SERVICE) / "locks")},
            "agent": {"root_helper": "sudo", "report_interval": 10},
        },
    )


def _files(world: World) -> dict[Path, str]:
    folder = settings.folder(world.controller, SERVICE)
    server: Settings = {
        "DEFAULT": {
            "api_paste_config": str(world.venv / "etc/neutron/api-paste.ini"),
            "auth_strategy": "keystone",
            "notify_nova_on_port_status_changes": False,
            "notify_nova_on_port_data_changes": False,
            "allow_overlapping_ips": True,
            "rpc_workers": 1,
            "rpc_state_report_workers": 0,
            "agent_down_time": 40,
            "dhcp_agents_per_network": 1,
            "dns_domain": "openstacklocal.",
        },
        # The bounds of a project are not what is tried here.
        "quotas": dict.fromkeys(_UNBOUNDED, -1),
    }
    ml2: Settings = {
        "ml2": {
            "type_drivers": ["flat", "vxlan"],
            "tenant_network_types": ["vxlan"],
            "mechanism_drivers": ["openvswitch", "l2population"],
            "extension_drivers": ["port_security"],
        },
        "ml2_type_flat": {"flat_networks": [PHYSICAL]},
        "ml2_type_vxlan": {"vni_ranges": ["1:10000"]},
        "securitygroup": {"enable_security_group": True},
    }
    text = ini.render(ini.merged(settings.common(world, SERVICE), of_node(world, world.controller), server))
    return {folder / "neutron.conf": text, folder / "ml2_conf.ini": ini.render(ml2)}


def _options(world: World) -> list[str]:
    return [word for file in _files(world) for word in ("--config-file", str(file))]
