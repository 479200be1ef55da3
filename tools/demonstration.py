"""A container, run and looked at with the unmodified official client."""

from __future__ import annotations

import secrets
import shlex
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass

from tools.progress import Progress, Trouble

_PATIENCE = 90.0
#: It ends when it is asked to: the first process of a container gets no signal that it does not wait for.
_COMMAND = 'echo "Hello from $(hostname), at $(hostname -i)"; trap exit TERM; sleep 3600 & wait'


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
    looks = ["list", "--name", name], ["logs", name]
    while True:
        # Starting the client costs more than a second of CPU, so the two go side by side.
        listed, logs = [_finish(call) for call in [client.begin(*words) for words in looks]]
        shown = row_of(listed)
        if shown["status"] == "Running" and logs.strip():
            break
        if shown["status"] not in ("Creating", "Created", "Running") or time.monotonic() > deadline:
            why = _finish(client.begin("show", name, "-f", "value", "-c", "status_reason")).strip()
            raise Trouble(f"container {name} is {shown['status']}: {why}")
    progress.say(f"$ {client.line(*looks[0])}")
    progress.detail(listed)
    progress.say(f"its address is {shown['addresses']}")
    progress.say(f"$ {client.line(*looks[1])}")
    progress.detail(logs)
    return name


def row_of(table: str) -> dict[str, str]:
    """The only row of a table of the client's, by column. Raises Trouble for a table without one."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
    if len(rows) != 2:
        raise Trouble(f"one container was to be expected in this list:\n{table}")
    return dict(zip(*rows, strict=True))


def _finish(call: subprocess.Popen[str]) -> str:
    output, errors = call.communicate(timeout=_PATIENCE)
    if call.returncode != 0:
        words = call.args if isinstance(call.args, list) else [str(call.args)]
        raise Trouble(f"'{shlex.join(map(str, words))}' failed:\n{(output + errors).strip()[-1500:]}")
    return output
