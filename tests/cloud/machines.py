"""Small machines on the cloud's hosts: a container without a network of Docker's, with a port of Neutron's plugged into it."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud import daemons
from cloud.nodes import Node
from cloud.world import World
from tests.images import load_busybox
from zun.drivers.runtime.docker_http import DockerHttp

_HERE = Path(__file__).parent
_PATIENCE = 60.0
_CONTAINER = {"Cmd": ["sleep", "3600"], "NetworkDisabled": True}


def hand(cloud: World, host: Node, what: str, told: dict[str, Any]) -> Any:
    """Have ``hand.py`` do it on a host; its answer."""
    path = daemons.variables(cloud, host)["PATH"]
    said = host.run("env", f"PATH={path}", cloud.program("python"), str(_HERE / "hand.py"), what, given=json.dumps(told))
    return json.loads(said.splitlines()[-1])


@dataclass
class Machine:
    """A container, its host and its port."""

    host: Node
    pid: int
    port: Any

    def address(self, version: int) -> str:
        """The one of this version of IP that Neutron gave its port."""
        (found,) = (entry["ip_address"] for entry in self.port.fixed_ips if (":" in entry["ip_address"]) == (version == 6))
        return str(found)

    def command(self, *arguments: str) -> list[str]:
        """What runs ``arguments`` in its network."""
        return self.host.command("nsenter", "--target", str(self.pid), "--net", "--", *arguments)

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run a program of the host's in its network; its output."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=_PATIENCE)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def lease(self) -> None:
        """Get an address by DHCP."""
        self.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "10", "-T", "2", "-s", str(_HERE / "lease.sh"))

    def ask(self, kind: str, address: str, port: int, seconds: float = 3) -> str:
        """Talk to somebody: ``answer``, ``silence`` or ``refused``."""
        return self.run("python3", str(_HERE / "talk.py"), "ask", kind, address, str(port), str(seconds)).strip()

    @contextmanager
    def conversing(self, kind: str, address: str, port: int) -> Iterator[list[str]]:
        """Talk to somebody who has answered already, meanwhile; in the list is what came of it, afterwards."""
        told: list[str] = []
        command = self.command("python3", str(_HERE / "talk.py"), "converse", kind, address, str(port))
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            assert (first := process.stdout.readline()) == "heard\n", first
            yield told
        finally:
            told.append(process.communicate(timeout=_PATIENCE)[0].strip())

    @contextmanager
    def serving(self, kind: str, port: int) -> Iterator[None]:
        """Answer who asks, meanwhile."""
        # By way of a shell that ends with its input, because the number that we have is that of what entered the node.
        script = 'python3 "$0" serve "$1" "$2" & read -r _; kill $!; wait'
        process = subprocess.Popen(self.command("sh", "-c", script, str(_HERE / "talk.py"), kind, str(port)), stdin=subprocess.PIPE)
        try:
            until = time.monotonic() + _PATIENCE
            while f":{port} " not in self.run("ss", "-Hln", f"--{kind}"):
                assert process.poll() is None and time.monotonic() < until
                time.sleep(0.05)
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)


def settle(neutron: Any, port: Any, status: str) -> Any:
    """The port, once it has this status."""
    until = time.monotonic() + _PATIENCE
    while (now := neutron.get_port(port.id)).status != status:
        assert time.monotonic() < until, f"port {port.id} is {now.status}, not {status}"
        time.sleep(0.1)
    return now


@contextmanager
def machine(cloud: World, admin: Any, host: Node, network: Any, **port: Any) -> Iterator[Machine]:
    """A machine on a host with a port of a network, ACTIVE; nothing of it is left afterwards."""
    owner = str(uuid.uuid4())
    engine = DockerHttp(str(cloud.engine(host.name)), timeout=60)
    image = load_busybox(str(cloud.engine(host.name)))
    made = admin.network.create_port(
        network_id=network.id, project_id=network.project_id, device_id=owner, device_owner="compute:zun", binding_host_id=host.name, **port
    )
    told = {"id": made.id, "mac": made.mac_address, "network": network.id, "mtu": network.mtu, "owner": owner}
    try:
        created = engine.call("POST", "/containers/create", body=_CONTAINER | {"Image": image})
        assert created.ok, created.message
        identity = created.data["Id"]
        try:
            assert engine.call("POST", f"/containers/{identity}/start").ok
            told["pid"] = engine.call("GET", f"/containers/{identity}/json").data["State"]["Pid"]
            hand(cloud, host, "plug", told)
            try:
                yield Machine(host, told["pid"], settle(admin.network, made, "ACTIVE"))
            finally:
                hand(cloud, host, "unplug", told)
        finally:
            engine.call("DELETE", f"/containers/{identity}", query={"force": 1})
    finally:
        engine.close()
        admin.network.delete_port(made)
