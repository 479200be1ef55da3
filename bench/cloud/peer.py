"""The peer on a host of its own in the cloud: its API, its agent, an engine, a switch, and the engine's plug-in for Neutron's networks.

What it is told is what its public guide and its own list of options say. It shares nothing with our service but Keystone, Neutron,
Placement, MariaDB, RabbitMQ and memcached; its account, its database and its queues are its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import openstack

from bench.client import Client, Token, until
from bench.cloud import ab, uwsgi
from cloud import daemons, fabric, ini
from cloud.daemons import Daemon, listens
from cloud.ini import Settings
from cloud.nodes import Node
from cloud.services import agents, docker, mariadb, openvswitch, rabbitmq, settings
from cloud.steps import Step
from cloud.world import REGION, World, write_private
from tools import environment
from tools.engine_api import Engine
from tools.processes import descendants as below
from tools.progress import Trouble

NAME = "host-peer"
#: its account, its database, its world of queues
USER = "zunpeer"
PORT, KURYR_PORT = 9517, 23750
_NUMBER = 21
_HERE = Path(__file__).parent
_REQUIREMENTS, _CONSTRAINTS = _HERE / "peer-requirements.txt", _HERE / "peer-constraints.txt"


def node(world: World) -> Node:
    """Its host."""
    return Node(NAME, world.folder / "nodes" / NAME, f"{world.management}.{_NUMBER}", f"172.29.0.{_NUMBER}")


def database(world: World) -> str:
    """SQLAlchemy's URL of its database."""
    return f"mysql+pymysql://{USER}:{_password(world)}@{world.controller.address}/{USER}?charset=utf8mb4"


def steps(world: World) -> list[Step]:
    """All there is to do on a cloud that is up; each step does nothing where all is well already."""
    host = node(world)
    return [
        Step("environment of the peer", partial(_install, world)),
        Step(
            "server of both", partial(uwsgi.install, world, _program(world, "uv"), _program(world, "python")), ["environment of the peer"]
        ),
        Step("client of both", ab.install),
        Step("node of the peer", partial(_make_node, world)),
        Step("the peer's account", partial(_account, world)),
        Step("the peer's database", partial(_tables, world), ["environment of the peer", "node of the peer"]),
        Step("open vswitch on the peer", partial(openvswitch.start, world, host), ["node of the peer"]),
        Step("switch agent on the peer", partial(agents.start_switch, world, host), ["open vswitch on the peer"]),
        # Kuryr knows no other path than this one, though it is the same place.
        Step("docker on the peer", partial(docker.start, world, host, "/var/run/docker"), ["node of the peer"]),
        Step("kuryr on the peer", partial(_start_kuryr, world), ["environment of the peer", "switch agent on the peer"]),
        Step("image on the peer", partial(_pull, world), ["docker on the peer"]),
        Step("the peer's agent", partial(_start_compute, world), ["the peer's database", "the peer's account", "kuryr on the peer"]),
        Step("the peer's api", partial(_start_api, world), ["the peer's database", "the peer's account", "server of both"]),
    ]


@dataclass(frozen=True, slots=True)
class Processes:
    """The numbers of its processes: those that answer requests, and its agent's."""

    api: list[int]
    agent: list[int]


def processes(world: World) -> Processes:
    """What runs of it. Raises Trouble where something does not."""
    api, agent = (daemons.pid(node(world), name) for name in ("zun-api", "zun-compute"))
    if api is None or agent is None:
        raise Trouble("a process of the peer does not run any more; its logs are with the cloud's")
    return Processes(below(api), [agent, *below(agent)])


def await_services(world: World) -> None:
    """Wait until its host has reported, and can be given containers. Raises TimeoutError."""
    with _admin(world) as cloud:
        access = Token(node(world).address, PORT, cloud.session.get_token())
        with Client(access) as client:
            until(
                lambda: any(each["state"] == "up" for each in client.call("GET", "/v1/services")["services"]), 120, "the peer's host is up"
            )
        until(lambda: _inventories(cloud), 120, "the peer's host is known to Placement", every=0.5)


def _inventories(cloud: openstack.connection.Connection) -> bool:
    providers = list(cloud.placement.resource_providers(name=NAME))
    return bool(providers) and any(True for _ in cloud.placement.resource_provider_inventories(providers[0]))


def end(world: World) -> None:
    """End its node and what is left of it in the cloud's services; none there is as good."""
    for name in daemons.names(node(world)):
        daemons.stop(node(world), name)
    fabric.dismiss(world, node(world))
    (world.folder / "schemas" / USER).unlink(missing_ok=True)
    mariadb.execute(world, f"DROP DATABASE IF EXISTS {USER};")
    with _admin(world) as cloud:
        placement = cloud.placement
        for provider in placement.resource_providers(name=NAME):
            # What was interrupted may have left some, and with them the provider stays.
            left = placement.get(f"/resource_providers/{provider.id}/allocations").json()["allocations"]
            for consumer in left:
                placement.delete(f"/allocations/{consumer}")
            placement.delete_resource_provider(provider)
        for agent in cloud.network.agents(host=NAME):
            cloud.network.delete_agent(agent)


def _install(world: World) -> bool:
    mark = _venv(world) / "peer-fingerprint"
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes() + _CONSTRAINTS.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == wanted:
        return False
    environment.create(_venv(world))
    environment.install(_venv(world), _CONSTRAINTS, ["-r", str(_REQUIREMENTS)])
    mark.write_text(wanted)
    return True


def _make_node(world: World) -> bool:
    host = node(world)
    if host.init is not None:
        return False
    fabric.dismiss(world, host)
    host.folder.mkdir(parents=True)
    (host.folder / "hosts").write_text(f"{fabric.hosts(world)}{host.address} {host.name}\n")
    host.start()
    fabric.connect(world, host)
    # Where the engine looks for drivers of networks, and its agent for its configuration.
    host.run("mkdir", "-p", "/etc/docker/plugins")
    host.run("tee", "/etc/docker/plugins/kuryr.spec", given=f"http://127.0.0.1:{KURYR_PORT}\n")
    host.run("ln", "-sfn", str(settings.folder(host, "zun")), "/etc/zun")
    # Its agent does not begin without the list of PCI devices; there is none to give away.
    (host.folder / "bin").mkdir()
    lspci = host.folder / "bin" / "lspci"
    lspci.write_text("#!/bin/sh\n")
    lspci.chmod(0o755)
    return True


def _account(world: World) -> bool:
    with _admin(world) as cloud:
        keystone = cloud.identity
        if keystone.find_user(USER):
            return False
        user = keystone.create_user(name=USER, password=_password(world), domain_id="default")
        project = keystone.find_project("service")
        for role in ("admin", "service"):
            keystone.assign_project_role_to_user(project, user, keystone.find_role(role))
    rabbitmq.make_vhost(world, USER)
    return True


def _tables(world: World) -> bool:
    done = world.folder / "schemas" / USER
    if done.exists():
        return False
    statements = f"""CREATE OR REPLACE DATABASE {USER} CHARACTER SET utf8mb3;
    CREATE OR REPLACE USER {USER}@'%' IDENTIFIED BY '{_password(world)}';
    GRANT ALL ON {USER}.* TO {USER}@'%';"""
    mariadb.execute(world, statements)
    for file, text in _files(world).items():
        write_private(file, text)
    command = [str(_venv(world) / "bin" / "zun-db-manage"), "--config-file", str(_file(world)), "upgrade"]
    daemons.run(world, "peer-schema", *command)
    done.touch()
    return True


def _start_kuryr(world: World) -> bool:
    host = node(world)
    own: Settings = {
        "DEFAULT": {
            "bindir": str(_venv(world) / "libexec" / "kuryr"),
            "capability_scope": "local",
            "process_external_connectivity": False,
            "use_stderr": True,
        },
        "neutron": _credentials(world),
    }
    file = settings.folder(host, "kuryr") / "kuryr.conf"
    command = [_program(world, "kuryr-server"), "--config-file", str(file)]
    ready = lambda: f":{KURYR_PORT} " in host.run("ss", "--tcp", "--listening", "--numeric")  # noqa: E731
    return daemons.start(world, Daemon("kuryr", host, command, ready, {file: ini.render(own)}, _environment(world)))


def _pull(world: World) -> bool:
    """Both sides have the image before anything is measured."""
    engine = Engine(world.engine(NAME))
    if engine.image("busybox:latest"):
        return False
    if not engine.pull("busybox", "latest", 60):
        raise Trouble("the peer's engine does not get its image from the registry")
    return True


def _start_compute(world: World) -> bool:
    command = [_program(world, "zun-compute"), "--config-file", str(_file(world))]
    return daemons.start(world, Daemon("zun-compute", node(world), command, lambda: True, _files(world), _environment(world)))


def _start_api(world: World) -> bool:
    host = node(world)
    command = uwsgi.command(world, _program(world, "python"), host.address, PORT, "zun.wsgi.api:application")
    return daemons.start(world, Daemon("zun-api", host, command, listens(host.address, PORT), _files(world), _environment(world)))


def _files(world: World) -> dict[Path, str]:
    folder = settings.folder(node(world), "zun")
    paste = (_venv(world) / "etc" / "zun" / "api-paste.ini").read_text()
    rootwrap = f"[DEFAULT]\nfilters_path={_venv(world)}/etc/zun/rootwrap.d\nexec_dirs=/sbin,/usr/sbin,/bin,/usr/bin\n"
    return {_file(world): _text(world), folder / "api-paste.ini": paste, folder / "rootwrap.conf": rootwrap}


def _text(world: World) -> str:
    host = node(world)
    common = settings.common(world, "zun")
    own: Settings = {
        "DEFAULT": {
            "transport_url": f"{world.transport}{USER}",
            "host": host.name,
            "my_ip": host.address,
            "state_path": str(settings.state(host, "zun")),
            "rootwrap_config": str(settings.folder(host, "zun") / "rootwrap.conf"),
        },
        "database": {"connection": database(world)},
        "api": {"host_ip": host.address, "port": PORT, "api_paste_config": str(settings.folder(host, "zun") / "api-paste.ini")},
        "keystone_auth": _credentials(world),
        # The same cache for tokens, with the same settings, that our own API has.
        "keystone_authtoken": {**_credentials(world), "service_type": "container"},
        "service_user": _credentials(world),
        "placement_client": {"region_name": REGION},
        "docker": {"api_url": f"unix://{world.engine(NAME)}", "docker_data_root": f"{host.folder}/docker"},
        "network": {"driver": "kuryr"},
        # What is measured must not meet a bound of its own.
        "quota": dict.fromkeys(("containers", "memory", "cpu", "disk"), -1),
        "oslo_concurrency": {"lock_path": str(settings.state(host, "zun") / "locks")},
        "oslo_policy": {"enforce_scope": False, "enforce_new_defaults": False},
    }
    return ini.render(ini.merged(common, own))


def _credentials(world: World) -> dict[str, str]:
    return {**settings.credentials(world, "zun"), "username": USER, "password": _password(world)}


def _environment(world: World) -> dict[str, str]:
    host = node(world)
    return {"PATH": f"{host.folder}/bin:{world.folder}/bin:{_venv(world)}/bin:{daemons.variables(world, host)['PATH']}"}


def _admin(world: World) -> openstack.connection.Connection:
    return openstack.connect(region_name=REGION, load_yaml_config=False, load_envvars=False, **world.account("admin"))


def _password(world: World) -> str:
    return hashlib.sha256(f"peer {world.secrets['user/zun']}".encode()).hexdigest()[:32]


def _venv(world: World) -> Path:
    return world.home / "peer"


def _program(world: World, name: str) -> str:
    return str(_venv(world) / "bin" / name)


def _file(world: World) -> Path:
    return settings.folder(node(world), "zun") / "zun.conf"
