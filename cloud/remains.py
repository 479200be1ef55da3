"""What a cloud has on this machine, found without its memory: processes, wires, loop devices, control groups, mounts."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

from cloud import nodes
from cloud.world import tag
from tools import machine, processes
from tools.progress import Trouble

_PATIENCE = 30.0
_INSIDE = Path(__file__).parent / "inside"


def end_nodes(folder: Path) -> int:
    """End the nodes of a cloud at once, with all that runs in them. Returns how many there were."""
    inits = nodes.inits_below(folder)
    # The kernel ends everything in a node's process namespace, containers too, when its first process ends.
    processes.kill(inits)
    return len(inits)


def await_links_gone(prefix: str) -> None:
    """Wait for the kernel, which takes a namespace's interfaces away a little after its last process. Raises Trouble."""
    deadline = time.monotonic() + _PATIENCE
    while links := _links(prefix):
        if time.monotonic() > deadline:
            raise Trouble(f"these interfaces do not go away: {' '.join(links)}")
        time.sleep(0.05)


def clear(home: Path) -> None:
    """End the cloud of this folder and remove all that it has on this machine; what lives longer than a cloud stays. None is as good."""
    folder = home / "run"
    end_nodes(folder)
    processes.kill(_own(folder))
    for device in loop_devices(folder):
        subprocess.run(["losetup", "--detach", device], capture_output=True, check=False)
    machine.unmount_below(folder)
    machine.remove_groups(lambda name: name.startswith(f"{tag(home)}-"))
    await_links_gone(tag(home))
    shutil.rmtree(folder, ignore_errors=True)


def found(home: Path) -> list[str]:
    """What of a cloud is on this machine, in words; nothing after ``clear``."""
    folder = home / "run"
    words = [f"process {pid}" for pid in [*nodes.inits_below(folder), *_own(folder)]]
    words += [f"interface {name}" for name in _links(tag(home))]
    words += [f"loop device {name}" for name in loop_devices(folder)]
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    words += [f"mount {point}" for point in mounts if point.startswith(f"{folder}/")]
    words += [f"control group {path}" for path in Path("/sys/fs/cgroup").glob(f"*/{tag(home)}-*")]
    if folder.exists():
        words.append(f"folder {folder}")
    return words


def loop_devices(folder: Path) -> list[str]:
    """Loop devices whose files lie, or lay, in the folder."""
    listed = subprocess.run(["losetup", "--json", "--list", "--output", "NAME,BACK-FILE"], capture_output=True, text=True, check=False)
    devices = json.loads(listed.stdout)["loopdevices"] if listed.stdout.strip() else []
    return [str(device["name"]) for device in devices if str(device["back-file"]).startswith(f"{folder}/")]


def _own(folder: Path) -> list[int]:
    """Processes outside the nodes: those that set the cloud up."""
    return [pid for pid, arguments in processes.naming(folder).items() if any(argument.startswith(f"{_INSIDE}/") for argument in arguments)]


def _links(prefix: str) -> list[str]:
    return sorted(path.name for path in Path("/sys/class/net").glob(f"{prefix}-*"))
