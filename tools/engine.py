"""The container engine under the quick start: one that answers already, the distribution's, or a dockerd of our own."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tools import host_network, machine, packages, processes
from tools.engine_api import Engine
from tools.progress import Progress, Trouble
from tools.record import Record

SYSTEM_SOCKET = Path("/var/run/docker.sock")
#: By package, the program of it that is needed.
_PROGRAMS = {"docker.io": "dockerd", "iptables": "iptables", "iproute2": "ip"}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PATIENCE = 60.0


def ensure(record: Record, environment: Mapping[str, str], progress: Progress) -> Engine:
    """An engine that answers. Raises Trouble."""
    found = _answering(record, environment)
    if found is None:
        _install(record, progress)
        found = _start(record, progress)
    if record.socket != str(found.path):
        record.socket = str(found.path)
        record.save()
    return found


def current(record: Record) -> Engine | None:
    """The engine that was chosen, if it answers."""
    engine = Engine(Path(record.socket)) if record.socket else None
    return engine if engine is not None and engine.answers() else None


def stop_own(record: Record, progress: Progress) -> None:
    """End our own dockerd, and its containers with it; another engine is left alone."""
    if not record.own_engine:
        return
    for pid in _own(record, "dockerd"):
        progress.say("ending the engine that the quick start has started, and the containers in it")
        processes.end(pid, 40)
    _end_leftovers(record.folder / "engine")


def remove_own(record: Record, progress: Progress) -> None:
    """End our own dockerd and remove what it has left: mounts, control groups, bridge, firewall rules."""
    stop_own(record, progress)
    if not record.own_engine:
        return
    data = record.folder / "engine"
    machine.unmount_below(data)
    identities = [path.name for path in (data / "data" / "containers").glob("*")]
    machine.remove_groups(lambda name: name in identities)
    host_network.restore(host_network.bridge_name(record.folder), record.before["network"])


def uninstall(record: Record, progress: Progress) -> None:
    """Take away the packages that the quick start has installed, and with its engine all that this engine had. The last step of all."""
    others = packages.needed_by(record.packages)
    if others:
        progress.say(f"the packages that were installed stay, because these have come to need them: {' '.join(others)}")
        return
    progress.say(f"removing the {len(record.packages)} packages that the quick start has installed")
    if "docker.io" in record.packages and systemd_runs():
        subprocess.run(["systemctl", "stop", "docker.socket", "docker", "containerd"], capture_output=True, check=False)
    if "docker.io" in record.packages and not record.own_engine:
        # Before the packages, because iptables may be among them.
        host_network.restore("docker0", record.before["network"])
    packages.purge(record.packages)
    if "docker.io" in record.packages:
        machine.restore(record.before)


def systemd_runs() -> bool:
    """Whether systemd is this machine's init."""
    return Path("/run/systemd/system").is_dir()


def _answering(record: Record, environment: Mapping[str, str]) -> Engine | None:
    """The engine of the last run, else one that is here already. Raises Trouble for one that somebody else must start."""
    if record.socket or record.own_engine:
        last = Engine(Path(record.socket or _own_socket(record)))
        if last.answers():
            return last
        if not record.own_engine and not (last.path == SYSTEM_SOCKET and systemd_runs()):
            raise Trouble(f"the containers live in the engine at {last.path}, and it does not answer; please start it")
        return None
    given = environment.get("DOCKER_HOST", "")
    candidates = [Path(given.removeprefix("unix://"))] if given.startswith("unix://") else []
    return next((engine for engine in map(Engine, [*candidates, SYSTEM_SOCKET]) if engine.answers()), None)


def _install(record: Record, progress: Progress) -> None:
    missing = [package for package, program in _PROGRAMS.items() if shutil.which(program, path=_PATH) is None]
    if not missing:
        return
    progress.say(f"no container engine answers: installing {', '.join(missing)} from the distribution")
    _remember(record)
    record.add_packages(packages.plan(missing))
    if systemd_runs():
        packages.install(missing)
    else:
        with packages.no_service_starts():
            packages.install(missing)


def _remember(record: Record) -> None:
    if not record.before:
        record.before = machine.remember()
        record.save()


def _start(record: Record, progress: Progress) -> Engine:
    if systemd_runs() and not record.own_engine:
        progress.say("starting the distribution's engine")
        started = subprocess.run(["systemctl", "start", "docker"], capture_output=True, text=True, check=False)
        if started.returncode != 0:
            raise Trouble(f"'systemctl start docker' failed: {started.stderr.strip()}; 'journalctl -u docker' tells more")
        return _wait(Engine(SYSTEM_SOCKET), lambda: True, "'journalctl -u docker' tells more")
    progress.say("starting an engine of our own (no systemd here), with everything of it in the state folder")
    return _start_own(record)


def _start_own(record: Record) -> Engine:
    dockerd = shutil.which("dockerd", path=_PATH)
    if dockerd is None or shutil.which("ip") is None:
        raise Trouble("the programs dockerd and ip are needed, and their packages did not bring them")
    folder = record.folder / "engine"
    folder.mkdir(exist_ok=True, mode=0o711)
    if not record.own_engine:
        _remember(record)
        record.own_engine = True
        record.save()
    bridge = host_network.bridge_name(record.folder)
    host_network.add_bridge(bridge)
    _end_leftovers(folder)
    for stale in (folder / "docker.pid", _own_socket(record)):
        stale.unlink(missing_ok=True)
    command = [dockerd, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/run", "--pidfile", f"{folder}/docker.pid"]
    command += ["--host", f"unix://{_own_socket(record)}", "--bridge", bridge, "--shutdown-timeout", "10"]
    log = folder / "dockerd.log"
    process = processes.start(command, log, folder / "start.pid")
    return _wait(Engine(_own_socket(record)), lambda: process.poll() is None, f"its log is {log}")


def _wait(engine: Engine, lives: Callable[[], bool], more: str) -> Engine:
    deadline = time.monotonic() + _PATIENCE
    while not engine.answers():
        if not lives() or time.monotonic() > deadline:
            raise Trouble(f"the container engine does not come up; {more}")
        time.sleep(0.1)
    return engine


def _own_socket(record: Record) -> Path:
    return record.folder / "engine" / "docker.sock"


def _own(record: Record, program: str) -> list[int]:
    found = processes.naming(record.folder / "engine")
    return [pid for pid, arguments in found.items() if Path(arguments[0]).name == program]


def _end_leftovers(folder: Path) -> None:
    """What a dockerd that was killed has left: containerd, its shims, and below them containers that nobody can reach any more."""
    for pid, arguments in processes.naming(folder).items():
        if Path(arguments[0]).name.startswith("containerd"):
            processes.kill([*reversed(processes.descendants(pid)), pid])
