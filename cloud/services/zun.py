"""Our own service, out of the sources beside this: its API, two conductors and a stream proxy on the controller, an agent on each host."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cloud import daemons, ini
from cloud.daemons import Daemon, listens
from cloud.nodes import Node
from cloud.services import openvswitch, settings
from cloud.world import World, write_private
from tools import environment, processes

SERVICE = "zun"
PROXY_PORT = 6784
#: where the agents let streams out
STREAM_PORT = 6785
#: processes that answer requests, below a WSGI server
API_WORKERS = 2
#: by name, what each conductor is called among the others
CONDUCTORS = {"zun-conductor": "controller", "zun-conductor-2": "controller-2"}
#: Who was killed answers nobody, and it is at the end of this that it is noticed: sooner than in a real deployment.
_PATIENCE: dict[str, ini.Value] = {"rpc_response_timeout": 25}


def install() -> bool:
    """See that the environment of those who work on it is here: the processes run in that. Raises Trouble."""
    wanted = environment.development()
    if environment.ready(wanted):
        return False
    environment.make(wanted)
    return True


def schema(world: World) -> bool:
    """See that it has its tables, those of these sources. Returns whether anything was to be done."""
    mark = world.folder / "schemas" / SERVICE
    wanted = environment.fingerprint(environment.development()) + _revisions()
    if mark.exists() and mark.read_text() == wanted:
        return False
    write_private(_file(world), _text(world, {}))
    daemons.run(world, "zun-schema", _program("zun-manage"), "--config-file", str(_file(world)), "db", "upgrade")
    mark.parent.mkdir(exist_ok=True)
    mark.write_text(wanted)
    return True


def start_api(world: World, changes: ini.Settings | None = None) -> bool:
    """See that the API answers, configured otherwise in what ``changes`` has: by its module path, as operators serve it."""
    file = _file(world)
    server = settings.wsgi(
        world,
        "container",
        "zun.wsgi.api:application",
        {file: _text(world, changes or {})},
        {"OS_ZUN_CONFIG_DIR": str(file.parent), "OS_ZUN_CONFIG_FILES": file.name},
        workers=API_WORKERS,
    )
    return daemons.start(world, replace(server, name="zun-api", command=[_program("python"), *server.command[1:]]))


def api_workers(world: World) -> list[int]:
    """The numbers of the processes that answer requests, as this machine counts; none where the API does not run."""
    server = daemons.pid(world.controller, "zun-api")
    return [] if server is None else processes.descendants(server)


def start_conductor(world: World, changes: ini.Settings | None = None) -> bool:
    """See that somebody decides where containers go."""
    started = [_start_conductor(world, name, changes or {}) for name in CONDUCTORS]
    return any(started)


def _start_conductor(world: World, name: str, changes: ini.Settings) -> bool:
    file = _file(world).with_name(f"{name}.conf")
    text = _text(world, ini.merged({"DEFAULT": {"host": CONDUCTORS[name]}}, changes))
    command = [_program("zun-conductor"), "--config-file", str(file)]
    return daemons.start(world, Daemon(name, world.controller, command, lambda: True, {file: text}))


def start_proxy(world: World) -> bool:
    """See that streams can be had."""
    file, ready = _file(world), listens(world.controller.address, PROXY_PORT)
    command = [_program("zun-wsproxy"), "--config-file", str(file)]
    return daemons.start(world, Daemon("zun-wsproxy", world.controller, command, ready, {file: _text(world, {})}))


def start_compute(world: World, host: Node, changes: ini.Settings | None = None) -> bool:
    """See that a host's agent works, configured otherwise in what ``changes`` has."""
    file = settings.folder(host, SERVICE) / "zun.conf"
    command = [_program("zun-compute"), "--config-file", str(file)]
    ready = listens(host.address, STREAM_PORT)
    return daemons.start(world, Daemon("zun-compute", host, command, ready, {file: _agent_text(world, host, changes or {})}))


def _agent_text(world: World, host: Node, changes: ini.Settings) -> str:
    """An agent has no database."""
    common = settings.common(world, SERVICE)
    own: ini.Settings = {
        "DEFAULT": {"host": host.name, "state_path": str(settings.state(host, SERVICE)), **_PATIENCE},
        "compute": {"stream_listen": host.address, "stream_port": STREAM_PORT},
        "docker": {"socket_path": str(world.engine(host.name))},
        "os_vif_ovs": {"ovsdb_connection": openvswitch.CONNECTION},
        **_networks(world),
        **_volumes(world),
        **_images(world),
    }
    return ini.render(ini.merged({name: common[name] for name in ("DEFAULT", "oslo_messaging_rabbit")}, own, changes))


def _networks(world: World) -> ini.Settings:
    return {"network": {"driver": "neutron"}, "neutron": {**settings.credentials(world, SERVICE), "valid_interfaces": "internal"}}


def _inventory(world: World) -> ini.Settings:
    # What is not right is put right soon, for who waits for that.
    account: Mapping[str, ini.Value] = {**settings.credentials(world, SERVICE), "valid_interfaces": "internal", "reconcile_interval": 5}
    return {"inventory": {"driver": "placement"}, "placement": account}


def _volumes(world: World) -> ini.Settings:
    return {
        "volume": {"driver_list": ["cinder", "local"]},
        "cinder": {**settings.credentials(world, SERVICE), "valid_interfaces": "internal"},
    }


def _images(world: World) -> ini.Settings:
    return {"glance": {**settings.credentials(world, SERVICE), "valid_interfaces": "internal"}}


def _text(world: World, changes: ini.Settings) -> str:
    node = world.controller
    own: ini.Settings = {
        "DEFAULT": {"host": node.name, "state_path": str(settings.state(node, SERVICE)), **_PATIENCE},
        "api": {"host_ip": node.address, "port": world.port("container")},
        # What application credentials may call is said by the type of a service, not by its name.
        "keystone_authtoken": {"service_type": "container"},
        "secrets": {"encryption_keys": [_key(world)]},
        "websocket_proxy": {
            "wsproxy_host": node.address,
            "wsproxy_port": PROXY_PORT,
            "base_url": f"ws://{node.address}:{PROXY_PORT}/",
        },
        **_networks(world),
        **_volumes(world),
        **_images(world),
        **_inventory(world),
    }
    return ini.render(ini.merged(settings.common(world, SERVICE), own, changes))


def _key(world: World) -> str:
    """A key of the form that the service takes, another one in each cloud."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"secrets of zun {world.secrets['user/zun']}".encode()).digest()).decode()


def _revisions() -> str:
    folder = environment.REPOSITORY / "zun" / "db" / "migrations" / "versions"
    return "".join(sorted(path.name for path in folder.glob("*.py")))


def _program(name: str) -> str:
    return environment.development().program(name)


def _file(world: World) -> Path:
    return settings.folder(world.controller, SERVICE) / "zun.conf"
