"""``./quickstart``: a running container service on this machine, or none any more."""

from __future__ import annotations

import argparse
import fcntl
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools import busybox, demonstration, engine, environment, machine, packages, record, service
from tools.engine_api import Engine
from tools.environment import Environment
from tools.progress import Progress, Trouble, fail
from tools.record import Record
from tools.service import Service

_FOLDER = Path("/var/lib/zun-quickstart")
_LABEL = "org.openstack.zun.deployment"


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    asked = _parse(arguments)
    folder = asked.state_dir.absolute()
    progress = Progress(float(os.environ.get("ZUN_QUICKSTART_SECONDS", "0")))
    # The client that is installed here is for everybody; secrets get their own modes.
    os.umask(0o022)
    # A person's Ctrl-C, a closed terminal and a polite kill all end the same way; the next run takes up what is there.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    try:
        with _alone(folder):
            if asked.stop:
                stop(folder, progress)
            elif asked.remove:
                remove(folder, progress)
            else:
                start(folder, asked.port, progress)
    except Trouble as trouble:
        return fail(trouble)
    except KeyboardInterrupt:
        print("\ninterrupted; run it again to go on, or with --remove to undo what was done", file=sys.stderr)
        return 130
    return 0


def start(folder: Path, port: int, progress: Progress) -> None:
    """From whatever state the machine is in to a running service and a container that was seen. Raises Trouble."""
    packages.forget_policy()
    made = record.begin(folder)
    made.add_packages(os.environ.get("ZUN_QUICKSTART_INSTALLED", "").split())
    runs_on = engine.ensure(made, os.environ, progress)
    progress.say(f"container engine: Docker {runs_on.version()} at {runs_on.path}")
    venv = _environment(folder)
    if not environment.ready(venv):
        _install(venv, made, progress)
    zun = Service(folder, venv, port, _variables(folder))
    service.start(zun, str(runs_on.path), progress)
    busybox.ensure(runs_on, made, progress)
    service.wait(zun)
    progress.say("the service is healthy and its host is up")
    cloud, variables = service.cloud(zun, progress)
    client = demonstration.Client(venv.program("openstack"), cloud, variables)
    name = demonstration.run(client, progress)
    progress.say("done")
    _tell(client, zun, runs_on, name)


def stop(folder: Path, progress: Progress) -> None:
    """End what was started; nothing is lost."""
    made = record.load(folder)
    if made is None:
        progress.say(f"nothing to stop: there is no {folder}")
        return
    service.stop(folder / "zun", progress)
    engine.stop_own(made, progress)
    progress.say("stopped; ./quickstart goes on where it was" + ("" if made.own_engine else ", and the containers run meanwhile"))


def remove(folder: Path, progress: Progress) -> None:
    """Undo all of it. What was on the machine before stays. Raises Trouble, and may then be repeated."""
    packages.forget_policy()
    made = record.load(folder)
    if made is None:
        progress.say(f"nothing to remove: there is no {folder}")
        return
    service.stop(folder / "zun", progress)
    _remove_entry(folder, progress)
    foreign = False if made.own_engine else _empty_engine(made, progress)
    engine.remove_own(made, progress)
    deployment = _deployment(folder)
    machine.remove_groups(lambda name: name == f"zun-{deployment}")
    if foreign and made.packages:
        progress.say(f"these packages stay, because the engine holds containers or images of others: {' '.join(made.packages)}")
    progress.say(f"removing {folder}")
    if made.packages and not foreign:
        engine.uninstall(made, progress)
    shutil.rmtree(folder)
    progress.say("nothing is left")


def _install(venv: Environment, made: Record, progress: Progress) -> None:
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode != 0:
        progress.say("installing python3-venv from the distribution")
        made.add_packages(packages.plan(["python3-venv"]))
        packages.install(["python3-venv"])
    progress.say(f"installing the service and the official client into {venv.folder}")
    environment.make(venv)


def _remove_entry(folder: Path, progress: Progress) -> None:
    python = folder / "venv" / "bin" / "python"
    if not (folder / "zun" / "clouds-files").exists():
        return
    progress.say("taking the service's entry out of clouds.yaml")
    command = [str(python), "-m", "zun.cmd.credentials", "remove", "--state-dir", str(folder / "zun")]
    # Not from here: Python would take the sources for the package that is installed.
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        progress.detail(done.stderr)


def _empty_engine(made: Record, progress: Progress) -> bool:
    """Take what is ours out of somebody else's engine. Returns whether others keep anything in it."""
    if made.socket is None:
        return False
    runs_on = engine.current(made)
    if runs_on is None:
        raise Trouble(f"the engine at {made.socket} does not answer; start it, so that the containers in it can be removed")
    containers = runs_on.containers(f"{_LABEL}={_deployment(made.folder)}")
    progress.say(f"removing {len(containers)} containers and sandboxes, and the images that came for them")
    # The service joins containers to their sandbox's pause container, so the sandboxes go last.
    for container in sorted(containers, key=lambda found: "org.openstack.zun.container" not in found["Labels"]):
        runs_on.remove_container(container["Id"])
    _remove_images(runs_on, made)
    return bool(runs_on.containers() or runs_on.images())


def _remove_images(runs_on: Engine, made: Record) -> None:
    present = runs_on.images()
    for reference, identity in made.images.items():
        if reference in present and identity in ("", present[reference]):
            runs_on.remove_image(reference)
    for reference in present:
        if reference.startswith("zun.invalid/zun/pause:"):
            runs_on.remove_image(reference)


def _deployment(folder: Path) -> str:
    path = folder / "zun" / "deployment"
    return path.read_text().strip() if path.exists() else "-"


def _environment(folder: Path) -> Environment:
    return Environment(folder / "venv", Path(__file__).resolve().parents[1], ["client"], cache=folder / "cache")


def _variables(folder: Path) -> Mapping[str, str]:
    """The environment of service and client: ``clouds.yaml`` is that of the person who typed the command, with or without sudo."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "PYTHON"))}
    given, person = os.environ.get("OS_CLIENT_CONFIG_FILE"), os.environ.get("SUDO_USER")
    # In a root shell that was opened with sudo, the person is root by now.
    typed_with_sudo = person and "quickstart" in os.environ.get("SUDO_COMMAND", "")
    home = pwd.getpwnam(str(person)).pw_dir if typed_with_sudo else str(Path.home())
    variables["XDG_CACHE_HOME"] = str(folder / "cache")
    variables["OS_CLIENT_CONFIG_FILE"] = given or f"{home}/.config/openstack/clouds.yaml"
    return variables


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One run at a time for each state folder. Raises Trouble when there is another."""
    path = Path("/run/lock" if Path("/run/lock").is_dir() else "/tmp") / f"zun-quickstart{str(folder).replace('/', '-')}"  # noqa: S108
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as cause:
            raise Trouble(f"another quickstart works on {folder} just now") from cause
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _tell(client: demonstration.Client, zun: Service, runs_on: Engine, name: str) -> None:
    again = "./quickstart" if zun.folder == _FOLDER else f"./quickstart --state-dir {shlex.quote(str(zun.folder))}"
    seeing = "" if client.variables == zun.variables else f"    export OS_CLIENT_CONFIG_FILE={client.variables['OS_CLIENT_CONFIG_FILE']}\n"
    print(f"""
Go on:
    source {zun.environment.folder}/bin/activate
{seeing}    {client.line("run", "--name", "web", "--cpu", "0.5", "--memory", "64", "busybox", "httpd", "-f", "-p", "8080")}
    {client.line("list")}
    {client.line("exec", name, "ps")}
    {client.line("delete", "--force", name)}

Look around:
    {zun.endpoint} is the API; its password is in {client.variables["OS_CLIENT_CONFIG_FILE"]}
    {zun.log} is the log, {zun.folder}/zun.conf the configuration
    curl --unix-socket {runs_on.path} http://docker/containers/json shows the engine's side

Stop:
    {again} --stop      ends what this has started
    {again} --remove    leaves nothing behind
""")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./quickstart", description="A running container service on this machine, in one command.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--stop", action="store_true", help="end what this command has started; nothing is lost")
    what.add_argument("--remove", action="store_true", help="undo all that this command has done on this machine")
    parser.add_argument("--state-dir", type=Path, default=_FOLDER, help="where everything is kept (default: %(default)s)")
    parser.add_argument("--port", type=int, default=9517, help="where the API listens, on 127.0.0.1 (default: %(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
