"""The cloud as a thing that one holds: where its parts are and how one gets in. Tests, demonstrations and developers begin here.

from cloud import world
cloud = world.load()            # raises Trouble when it is not up
cloud.url("network")            # http://10.191.0.2:9696
cloud.account("demo")           # what openstack.connect() takes
cloud.hosts                     # the two compute hosts
cloud.node("host-a").run("ip", "link")
cloud.engine("host-a")          # the socket of its container engine
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from cloud.nodes import Node
from tools import host_network
from tools.environment import REPOSITORY
from tools.progress import Trouble

CONTROLLER, NETWORK, FABRIC = "controller", "network", "fabric"
HOSTS = ("host-a", "host-b")
REGION = "RegionOne"

#: The last number of each node's addresses; 1 is this machine's own.
_NUMBERS = {CONTROLLER: 2, NETWORK: 3, "host-a": 11, "host-b": 12}
#: Known inside the nodes only, so that it may be the same in every cloud.
_UNDERLAY = "172.29.0"
_POOL = "10.191.0.0/16"
#: The services that answer over HTTP: port and path, on the controller. ``container`` is kept for our own.
_ENDPOINTS = {
    "identity": (5000, "/v3"),
    "image": (9292, ""),
    "placement": (8778, ""),
    "network": (9696, ""),
    "block-storage": (8776, "/v3"),
    "container": (9517, "/v1"),
}
#: Users: project and roles. The service users have the role ``service`` too, for service tokens.
PEOPLE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "admin": ("admin", ("admin",)),
    "demo": ("demo", ("member",)),
    "reader": ("demo", ("reader",)),
    "manager": ("demo", ("manager",)),
    "stranger": ("strangers", ("member",)),
    # An administrator whose project is the tests' of the official clients: they take all that is in it for their own.
    "operator": ("operators", ("admin",)),
}
SERVICE_USERS = ("cinder", "glance", "neutron", "placement", "zun")
DATABASES = ("cinder", "glance", "keystone", "neutron", "placement", "zun")
_LONGEST_FOLDER = 60


@dataclass(frozen=True, slots=True)
class World:
    """One cloud. ``home`` keeps what outlives it (installed packages, empty databases), ``home/run`` all of its life."""

    home: Path
    #: the first three numbers of the network between the nodes, and of the one that floating addresses come from
    management: str
    public: str
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def folder(self) -> Path:
        """All that lives as long as the cloud does."""
        return self.home / "run"

    @property
    def tag(self) -> str:
        """Begins the name of everything that this cloud has in the machine's own namespaces."""
        return tag(self.home)

    @property
    def gateway(self) -> str:
        """This machine's own address in the management network."""
        return f"{self.management}.1"

    @property
    def hosts(self) -> tuple[Node, ...]:
        """The compute hosts."""
        return tuple(self.node(name) for name in HOSTS)

    @property
    def controller(self) -> Node:
        """Where the services are."""
        return self.node(CONTROLLER)

    def node(self, name: str) -> Node:
        """A node by its name, which is also its host name, Neutron's ``host`` and ours."""
        number = _NUMBERS.get(name)
        folder = self.folder / "nodes" / name
        if number is None:
            return Node(name, folder, "")
        return Node(name, folder, f"{self.management}.{number}", "" if name == CONTROLLER else f"{_UNDERLAY}.{number}")

    def nodes(self) -> tuple[Node, ...]:
        """Every node that has services."""
        return tuple(self.node(name) for name in _NUMBERS)

    def engine(self, host: str) -> Path:
        """The socket of a host's container engine; it is reached from everywhere on this machine."""
        return self.node(host).folder / "docker.sock"

    def url(self, service: str) -> str:
        """The endpoint of a service by its type."""
        port, path = _ENDPOINTS[service]
        return f"http://{self.controller.address}:{port}{path}"

    def port(self, service: str) -> int:
        """The port of a service by its type."""
        return _ENDPOINTS[service][0]

    @property
    def registry(self) -> str:
        """The address of the registry that also answers pulls meant for Docker Hub."""
        return f"{self.controller.address}:5001"

    def database(self, name: str) -> str:
        """SQLAlchemy's URL of a database."""
        password = quote(self.secrets[f"database/{name}"], safe="")
        return f"mysql+pymysql://{name}:{password}@{self.controller.address}/{name}?charset=utf8mb4"

    @property
    def transport(self) -> str:
        """oslo.messaging's URL of the message broker."""
        return f"rabbit://openstack:{self.secrets['rabbitmq']}@{self.controller.address}:5672/"

    @property
    def memcached(self) -> str:
        """Host and port of the cache for tokens."""
        return f"{self.controller.address}:11211"

    def account(self, user: str) -> dict[str, str]:
        """What keystoneauth's password plugin takes: for a person of PEOPLE, or a service's own user."""
        project = PEOPLE[user][0] if user in PEOPLE else "service"
        return {
            "auth_url": self.url("identity"),
            "username": user,
            "password": self.secrets[f"user/{user}"],
            "project_name": project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }

    @property
    def clouds_yaml(self) -> Path:
        """The file for OS_CLIENT_CONFIG_FILE: an entry for each person and service user."""
        return self.folder / "clouds.yaml"

    @property
    def logs(self) -> Path:
        """The folder of every log."""
        return self.folder / "logs"

    @property
    def venv(self) -> Path:
        """The environment of the services; ``openstack`` is in it."""
        return self.home / "venv"

    def program(self, name: str) -> str:
        """A program of that environment."""
        return str(self.venv / "bin" / name)


def default_home() -> Path:
    """Where the cloud is kept, unless somebody says otherwise: ``.cloud`` beside the sources, or ``ZUN_CLOUD_HOME``."""
    return Path(os.environ.get("ZUN_CLOUD_HOME") or REPOSITORY / ".cloud").resolve()


def tag(home: Path) -> str:
    """See ``World.tag``. Short, because an interface's name has at most 15 characters."""
    return "zc" + hashlib.sha256(str(home).encode()).hexdigest()[:5]


def load(home: Path | None = None) -> World:
    """The cloud that is up, or was. Raises Trouble where none was ever made."""
    home = home or default_home()
    file = home / "run" / "world.json"
    if not file.exists():
        raise Trouble(f"there is no cloud in {home}; 'make cloud' makes one")
    return World(home=home, **json.loads(file.read_text()))


def begin(home: Path) -> World:
    """The cloud of this folder, a new one where there is none. Raises Trouble."""
    if len(str(home)) > _LONGEST_FOLDER:
        raise Trouble(f"the path of the cloud's folder is longer than {_LONGEST_FOLDER} characters, too long for sockets in it: {home}")
    if (home / "run" / "world.json").exists():
        world = load(home)
        # One that was made before somebody gave the cloud another user.
        world = replace(world, secrets=_secrets() | dict(world.secrets))
    else:
        management, public = host_network.free_networks(_POOL, 2)
        world = World(home, management, public, _secrets())
    world.logs.mkdir(parents=True, exist_ok=True)
    world.folder.chmod(0o700)
    memory = {"management": world.management, "public": world.public, "secrets": dict(world.secrets)}
    write_private(world.folder / "world.json", json.dumps(memory, indent=1))
    return world


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Daemons that share a file are started side by side. mkstemp closes it to others.
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(partial).replace(path)


def _secrets() -> dict[str, str]:
    names = [f"user/{user}" for user in (*PEOPLE, *SERVICE_USERS)]
    names += [f"database/{name}" for name in DATABASES]
    names += ["rabbitmq", "erlang", "metadata"]
    return {name: secrets.token_urlsafe(18) for name in names}
