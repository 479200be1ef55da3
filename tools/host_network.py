"""The bridge of an engine of our own, and what an engine leaves in a machine's network when it ends."""

from __future__ import annotations

import hashlib
import ipaddress
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.progress import Trouble

_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_TABLES = ("filter", "nat", "raw")
_POOL = ipaddress.ip_network("10.190.0.0/16")


def bridge_name(folder: Path) -> str:
    """A name of its own for each state folder: two engines on one bridge would give out the same addresses."""
    return "zunqs" + hashlib.sha256(str(folder).encode()).hexdigest()[:8]


def add_bridge(name: str) -> None:
    """Make the bridge, with an address in a network that this machine does not know yet; there already is success."""
    if Path("/sys/class/net", name).exists():
        return
    routes = [line.split()[0] for line in _run("ip", "-4", "route", "show", "table", "all").splitlines() if line[:1].isdigit()]
    taken = [ipaddress.ip_network(route, strict=False) for route in routes]
    free = next((network for network in _POOL.subnets(new_prefix=24) if not any(network.overlaps(other) for other in taken)), None)
    if free is None:
        raise Trouble(f"no network for containers is free in {_POOL}")
    _run("ip", "link", "add", name, "type", "bridge")
    _run("ip", "address", "add", f"{free[1]}/{free.prefixlen}", "dev", name)
    _run("ip", "link", "set", name, "up")


def remember() -> dict[str, Any]:
    """What an engine is going to change."""
    filters = _filters()
    return {
        "ip_forward": _FORWARD.read_text().strip(),
        "forward_policy": {tool: _policy(tool) for tool in filters},
        "engine_chains": {tool: any(_chains(tool, table) for table in _TABLES) for tool in filters},
    }


def restore(name: str, before: dict[str, Any]) -> None:
    """Take the bridge away, the rules about it, and the engine's chains and settings where it was the first engine here."""
    subprocess.run(["ip", "link", "delete", name], capture_output=True, check=False)
    firsts = [tool for tool in _filters() if not before.get("engine_chains", {}).get(tool, True)]
    _remove_rules(_filters(), lambda words: name in words)
    _remove_rules(firsts, lambda words: any(word.startswith("DOCKER") for word in words))
    for tool in firsts:
        for table in _TABLES:
            for action in ("-F", "-X"):
                for chain in _chains(tool, table):
                    _attempt(tool, "-t", table, action, chain)
        policy = before.get("forward_policy", {}).get(tool)
        if policy:
            _attempt(tool, "-P", "FORWARD", policy)
    if before.get("ip_forward") == "0" and firsts == _filters():
        _FORWARD.write_text("0\n")


def remove_gone(prefix: str) -> None:
    """Remove the rules about bridges with names like this that are gone."""
    present = {path.name for path in Path("/sys/class/net").iterdir()}
    _remove_rules(_filters(), lambda words: any(word.startswith(prefix) and word not in present for word in words))


def _remove_rules(tools: Sequence[str], ours: Callable[[list[str]], bool]) -> None:
    for tool in tools:
        for table in _TABLES:
            for rule in list(_rules(tool, table)):
                if ours(rule):
                    _attempt(tool, "-t", table, "-D", *rule[1:])


def _filters() -> list[str]:
    return [tool for tool in ("iptables", "ip6tables") if shutil.which(tool)]


def _rules(tool: str, table: str) -> Iterator[list[str]]:
    for line in _listed(tool, table):
        if line.startswith("-A "):
            yield shlex.split(line)


def _chains(tool: str, table: str) -> list[str]:
    return [line.split()[1] for line in _listed(tool, table) if line.startswith("-N DOCKER")]


def _policy(tool: str) -> str | None:
    return next((line.split()[2] for line in _listed(tool, "filter") if line.startswith("-P FORWARD ")), None)


def _listed(tool: str, table: str) -> list[str]:
    return subprocess.run([tool, "-w", "-t", table, "-S"], capture_output=True, text=True, check=False).stdout.splitlines()


def _attempt(tool: str, *arguments: str) -> None:
    subprocess.run([tool, "-w", *arguments], capture_output=True, check=False)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"'{' '.join(command)}' failed: {done.stderr.strip()}")
    return done.stdout
