"""A container, run and looked at with the unmodified official client."""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.progress import Progress, Trouble

_PATIENCE = 90.0
_COMMAND = 'echo "Hello from $(hostname), at $(hostname -i)"; exec sleep 3600'


@dataclass(frozen=True, slots=True)
class Client:
    """The ``openstack`` command at ``program``, and the cloud that it talks to."""

    program: str
    cloud: str
    variables: Mapping[str, str]

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start ``openstack appcontainer WORDS``."""
        command = [self.program, "--os-cloud", self.cloud, "appcontainer", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL, text=True, env=dict(self.variables))

    def line(self, *words: str) -> str:
        """The same as a person types it."""
        return shlex.join(["openstack", "--os-cloud", self.cloud, "appcontainer", *words])


def run(client: Client, progress: Progress) -> str:
    """Run a container, show its row, its address and its log. Returns its name. Raises Trouble."""
    name = f"hello-{secrets.token_hex(2)}"
    words = ["run", "--name", name, "--cpu", "0.25", "--memory", "64", "--auto-remove", "busybox", "sh", "-c", _COMMAND]
    progress.say(f"$ {client.line(*words)}")
    _finish(client.begin(*words))
    deadline = time.monotonic() + _PATIENCE
    while True:
        # Starting the client costs most of a second of CPU, three times; so the three go side by side.
        calls = [client.begin(*words) for words in _looks(name)]
        shown, listed, logs = [_finish(call) for call in calls]
        container: dict[str, Any] = json.loads(shown)
        if container["status"] == "Running" and logs.strip():
            break
        if container["status"] not in ("Creating", "Created", "Running") or time.monotonic() > deadline:
            raise Trouble(f"container {name} is {container['status']}: {container['status_reason']}")
    _, looked_list, looked_logs = _looks(name)
    progress.say(f"$ {client.line(*looked_list)}")
    progress.detail(listed)
    addresses = [entry["addr"] for entries in (container["addresses"] or {}).values() for entry in entries]
    progress.say(f"its address is {', '.join(addresses)}")
    progress.say(f"$ {client.line(*looked_logs)}")
    progress.detail(logs)
    return name


def _looks(name: str) -> tuple[list[str], list[str], list[str]]:
    return ["show", name, "-f", "json"], ["list", "--name", name], ["logs", name]


def _finish(call: subprocess.Popen[str]) -> str:
    output, errors = call.communicate(timeout=_PATIENCE)
    if call.returncode != 0:
        words = call.args if isinstance(call.args, list) else [str(call.args)]
        raise Trouble(f"'{shlex.join(map(str, words))}' failed:\n{(output + errors).strip()[-1500:]}")
    return output
