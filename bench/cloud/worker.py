"""A worker of our API under gunicorn with eight threads, as the page on installing by hand has it: its memory once it has worked.

It makes containers and lists them by the thousand, so it has a database of its own: what it accepts there nobody starts.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from bench.client import Client, Token, until
from bench.cloud import ab, ours
from bench.cloud.reads import LISTS
from cloud import daemons
from cloud.daemons import Daemon, listens
from cloud.services import settings
from cloud.world import World
from tools import environment, processes

PORT = 9618
#: two where the page has four, so that each has its share of the work
WORKERS, THREADS = 2, 8
#: made by so many clients at once, so many each; lists and shows by as many clients as ``bench.cloud.reads`` has
CLIENTS, EACH = 10, 4
LISTED, SHOWN = (8, 64), (32, 2000)
_NAME = "zun-bench-worker"


def start(world: World) -> bool:
    """Start it, out of the sources as they are now, on the database that ``ours`` has made."""
    daemons.stop(world.controller, _NAME)
    node, folder = world.controller, settings.folder(world.controller, "zun")
    command = [environment.development().program("gunicorn"), "--workers", str(WORKERS), "--threads", str(THREADS)]
    command += ["--bind", f"{node.address}:{PORT}", "zun.wsgi.api:application"]
    return daemons.start(world, Daemon(_NAME, node, command, listens(node.address, PORT), {}, ours.variables(folder)))


def end(world: World) -> None:
    """End it; none there is as good."""
    daemons.stop(world.controller, _NAME)


def worked(world: World, token: str, network: str) -> list[int]:
    """Have it make containers in a network, list a thousand and show one, several at once. Returns the numbers of its processes.

    Raises Refused, OSError, RuntimeError for a bad answer, TimeoutError.
    """
    access = Token(world.controller.address, PORT, token)
    until(lambda: len(workers(world)) == WORKERS and _answers(access), 60, "workers under gunicorn answer", every=0.2)

    def make(_: int) -> str:
        with Client(access) as client:
            return [client.run(nets=[{"network": network}], memory="64") for _ in range(EACH)][-1]

    with ThreadPoolExecutor(CLIENTS) as pool:
        made = list(pool.map(make, range(CLIENTS)))
    for path, (clients, count) in ((LISTS, LISTED), (f"{LISTS}/{made[0]}", SHOWN)):
        answers = ab.ask(access, path, clients, count)
        if answers.bad:
            print(f"  {path}: {answers.bad} of {count} were not well answered", file=sys.stderr)
    return workers(world)


def workers(world: World) -> list[int]:
    """The numbers of the processes that answer; none where it does not run."""
    server = daemons.pid(world.controller, _NAME)
    return [] if server is None else processes.descendants(server)


def _answers(access: Token) -> bool:
    try:
        with Client(access) as client:
            client.call("GET", f"{LISTS}?limit=1")
    except OSError:
        return False
    return True
