"""The bridge of an engine of our own, and what an engine leaves in a machine's network when it ends."""

from __future__ import annotations

import hashlib
import ipaddress
import itertools
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.progress import Trouble

_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_TOOLS = ("iptables", "ip6tables")
_TABLES = ("filter", "nat", "raw")
_POOL = "10.190.0.0/16"


def bridge_name(folder: Path) -> str:
    """A name of its own for each state folder: two engines on one bridge would give out the same addresses."""
    return "zunqs" + hashlib.sha256(str(folder).encode()).hexdigest()[:8]


def add_bridge(name: str) -> None:
    """Make the bridge, with an address in a network that this machine does not know yet; there already is success."""
    if Path("/sys/class/net", name).exists():
        return
    network = free_networks(_POOL, 1)[0]
    _run("ip", "link", "add", name, "type", "bridge")
    _run("ip", "address", "add", f"{network}.1/24", "dev", name)
    _run("ip", "link", "set", name, "up")


def free_networks(pool: str, count: int) -> list[str]:
    """The first three numbers of networks of 254 addresses in ``pool`` that this machine has no route to. Raises Trouble."""
    routes = [line.split()[0] for line in _run("ip", "-4", "route", "show", "table", "all").splitlines() if line[:1].isdigit()]
    taken = [ipaddress.ip_network(route, strict=False) for route in routes]
    networks = ipaddress.ip_network(pool).subnets(new_prefix=24)
    free = (network for network in networks if not any(network.overlaps(other) for other in taken))
    found = [str(network.network_address).rpartition(".")[0] for network in itertools.islice(free, count)]
    if len(found) < count:
        raise Trouble(f"no network for containers is free in {pool}")
    return found


def remember() -> dict[str, Any]:
    """What an engine is going to change. Where a tool is not installed yet, nobody has used it."""
    return {
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "ip_forward": _FORWARD.read_text().strip(),
        "forward_policy": {tool: _policy(tool) for tool in _TOOLS},
        "engine_chains": {tool: any(_chains(tool, table) for table in _TABLES) for tool in _TOOLS},
    }


def restore(name: str, before: dict[str, Any]) -> None:
    """Take the bridge away and the rules about it; an engine's chains and settings too, if it was the first here and is the last."""
    if name not in before["interfaces"]:
        subprocess.run(["ip", "link", "delete", name], capture_output=True, check=False)
        _remove_rules(lambda words: name in words)
    alone = [tool for tool in _TOOLS if not before["engine_chains"][tool] and not _used(tool)]
    for tool in alone:
        _remove_chains(tool)
        _attempt(tool, "-P", "FORWARD", before["forward_policy"][tool])
    if before["ip_forward"] == "0" and len(alone) == len(_TOOLS):
        _FORWARD.write_text("0\n")


def remove_gone(prefix: str) -> None:
    """Remove the rules about bridges with names like this that are gone."""
    present = {path.name for path in Path("/sys/class/net").iterdir()}
    _remove_rules(lambda words: any(word.startswith(prefix) and word not in present for word in words))


def _remove_rules(ours: Callable[[list[str]], bool], tools: Sequence[str] = _TOOLS) -> None:
    for tool in tools:
        for table in _TABLES:
            for rule in list(_rules(tool, table)):
                if ours(rule):
                    _attempt(tool, "-t", table, "-D", *rule[1:])


def _used(tool: str) -> bool:
    """Whether an engine's chains speak of some bridge: then another engine lives here."""
    rules = [rule for table in _TABLES for rule in _rules(tool, table)]
    return any(("-i" in rule or "-o" in rule) and _of_engine(rule) for rule in rules)


def _remove_chains(tool: str) -> None:
    _remove_rules(_of_engine, [tool])
    for table in _TABLES:
        for action in ("-F", "-X"):
            for chain in _chains(tool, table):
                _attempt(tool, "-t", table, action, chain)


def _of_engine(rule: list[str]) -> bool:
    return any(word.startswith("DOCKER") for word in rule)


def _rules(tool: str, table: str) -> Iterator[list[str]]:
    for line in _listed(tool, table):
        if line.startswith("-A "):
            yield shlex.split(line)


def _chains(tool: str, table: str) -> list[str]:
    return [line.split()[1] for line in _listed(tool, table) if line.startswith("-N DOCKER")]


def _policy(tool: str) -> str:
    return next((line.split()[2] for line in _listed(tool, "filter") if line.startswith("-P FORWARD ")), "ACCEPT")


def _listed(tool: str, table: str) -> list[str]:
    if shutil.which(tool) is None:
        return []
    return subprocess.run([tool, "-w", "-t", table, "-S"], capture_output=True, text=True, check=False).stdout.splitlines()


def _attempt(tool: str, *arguments: str) -> None:
    if shutil.which(tool):
        subprocess.run([tool, "-w", *arguments], capture_output=True, check=False)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"'{' '.join(command)}' failed: {done.stderr.strip()}")
    return done.stdout
