"""RabbitMQ: the message broker, with folders, name and port mapper of its own."""

from __future__ import annotations

from cloud import daemons
from cloud.daemons import Daemon
from cloud.world import World, write_private

_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
_PORT = 5672
USER = "openstack"


def start(world: World) -> bool:
    """See that it runs and takes messages."""
    cookie = world.controller.folder / "rabbitmq" / ".erlang.cookie"
    if not cookie.exists():
        write_private(cookie, world.secrets["erlang"])
        cookie.chmod(0o400)
    return daemons.start(world, _daemon(world))


def _environment(world: World) -> dict[str, str]:
    folder = world.controller.folder / "rabbitmq"
    return {
        "HOME": str(folder),
        "ERL_EPMD_ADDRESS": world.controller.address,
        "RABBITMQ_NODENAME": f"rabbit@{world.controller.name}",
        "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
        "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
        "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
        "RABBITMQ_LOG_BASE": str(world.logs),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": f"{folder}/pid",
        # The broker itself is the daemon then, and not a shell that waits for it.
        "RUNNING_UNDER_SYSTEMD": "true",
        # Schedulers that wait busily would take this machine's few cores from everybody else.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
    }


def _daemon(world: World) -> Daemon:
    folder = world.controller.folder / "rabbitmq"
    settings = {
        "listeners.tcp.1": f"{world.controller.address}:{_PORT}",
        "default_user": USER,
        "default_pass": world.secrets["rabbitmq"],
        "default_user_tags.administrator": "true",
        "vm_memory_high_watermark.relative": "0.1",
        "disk_free_limit.absolute": "50MB",
        "log.console.level": "warning",
    }
    files = {
        folder / "rabbitmq.conf": "".join(f"{name} = {value}\n" for name, value in settings.items()),
        folder / "plugins": "[].\n",
    }
    ready = daemons.listens(world.controller.address, _PORT)
    return Daemon("rabbitmq", world.controller, [_SERVER], ready, files, _environment(world))


def make_vhost(world: World, name: str) -> None:
    """See that there is a world of queues apart from all others."""
    if name not in world.controller.run(*_control(world, "list_vhosts")).split():
        world.controller.run(*_control(world, "add_vhost", name))
    world.controller.run(*_control(world, "set_permissions", "--vhost", name, USER, ".*", ".*", ".*"))


def consumers(world: World, queue: str) -> int:
    """How many wait for messages of a queue."""
    listed = world.controller.run(*_control(world, "list_queues", "name", "consumers"), check=False)
    found = [line.split() for line in listed.splitlines()]
    return sum(int(words[1]) for words in found if len(words) == 2 and words[0] == queue and words[1].isdigit())


def kinds(world: World) -> dict[str, str]:
    """What type each queue is of, by name: ``classic``, ``quorum``."""
    listed = world.controller.run(*_control(world, "list_queues", "name", "type"))
    return {words[0]: words[1] for words in map(str.split, listed.splitlines()) if len(words) == 2}


def _control(world: World, verb: str, *arguments: str) -> list[str]:
    environment = [f"{name}={value}" for name, value in _environment(world).items()]
    quiet = ["--quiet", "--no-table-headers"] if verb.startswith("list") else ["--quiet"]
    return ["env", *environment, _CONTROL, *quiet, verb, *arguments]
