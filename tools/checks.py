"""``./run-tests``: everything that CI checks, on a machine that may have nothing yet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools import environment, host_network, machine, packages, processes, stages
from tools.environment import REPOSITORY, Environment
from tools.progress import Progress, Trouble, fail
from tools.stages import Check, Result

#: What the tests start by hand, from the distribution, and what they look at it with.
PACKAGES = (
    "binutils",
    "binutils-aarch64-linux-gnu",
    "binutils-x86-64-linux-gnu",
    "busybox-static",
    "docker-registry",
    "docker.io",
    "iproute2",
    "iptables",
    "mariadb-server",
    "postgresql",
    "procps",
    "python3-venv",
    "rabbitmq-server",
    "shellcheck",
)
CLOUD_TESTS = "tests/cloud"
FAULT_TESTS = "tests/cloud/faults"
#: Files of tests go to processes of their own, each with servers of its own: much of their time is waiting.
_SPREAD = ("--numprocesses=4", "--dist=loadfile", "--no-loadscope-reorder")
#: On one cloud, each process as users of its own.
_SPREAD_ON_CLOUD = ("--on-cloud", "--numprocesses=3", "--dist=worksteal")
#: The same, file by file; what disturbs others is left for a process that is alone.
_FILES_ON_CLOUD = ("--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder", "-m", "not whole")
#: Short, because sockets lie below it.
_TEMPORARY = Path(tempfile.gettempdir())
_PREFIX = "zt-"


def checks(venv: Environment) -> list[Check]:
    """What is checked besides the tests."""
    program = venv.program
    return [
        Check("style (ruff check)", [program("ruff"), "check", "."]),
        Check("format (ruff format)", [program("ruff"), "format", "--check", "."]),
        Check("types (mypy --strict)", [program("mypy")]),
        Check("rooms (import-linter)", [program("lint-imports"), "--no-cache"]),
        Check("shell (shellcheck)", ["shellcheck", "quickstart", "run-tests", "tools/find-python", ".ci/run"]),
    ]


def main(arguments: Sequence[str]) -> int:
    """Without arguments, everything; with arguments, pytest alone with them. The exit code."""
    progress = Progress()
    os.chdir(REPOSITORY)
    try:
        _prepare_machine(progress)
        venv = environment.development()
        if not environment.ready(venv):
            progress.say(f"installing the package and its tools into {venv.folder.name}")
            environment.make(venv)
    except Trouble as trouble:
        return fail(trouble)
    with _workplace() as variables:
        results = [] if arguments else [stages.run(check, variables, progress) for check in checks(venv)]
        if not arguments:
            subprocess.run([sys.executable, "-m", "tools.sizes", "zun", "tools", "cloud", "tests", "bench"], check=False)
        # Those on the cloud come after, when nothing else needs the machine.
        tests = Check("tests (pytest)", [venv.program("python"), "-m", "pytest", *(arguments or [*_SPREAD, f"--ignore={CLOUD_TESTS}"])])
        results.append(stages.run(tests, variables, progress))
        if not arguments:
            results += _on_the_cloud(venv, variables, progress)
    return stages.summary(results, progress)


def _on_the_cloud(venv: Environment, variables: Mapping[str, str], progress: Progress) -> Iterator[Result]:
    """The tests that need a whole OpenStack, on one that is there for as long as they last."""
    cloud = [sys.executable, "-m", "cloud"]
    begun = stages.run(Check("a cloud for tests (python -m cloud up)", [*cloud, "up"]), variables, progress)
    yield begun
    if begun.code == 0:
        pytest = [venv.program("python"), "-m", "pytest"]
        for check in (
            Check("tests on the cloud (pytest)", [*pytest, *_FILES_ON_CLOUD, CLOUD_TESTS, f"--ignore={FAULT_TESTS}"]),
            Check("tests on the cloud that disturb others (pytest)", [*pytest, "-m", "whole", CLOUD_TESTS, f"--ignore={FAULT_TESTS}"]),
            Check("the contract and the official clients (pytest --on-cloud)", [*pytest, *_SPREAD_ON_CLOUD, *_with_keystone()]),
            Check("zun-tempest-plugin (python -m cloud.tempest)", [sys.executable, "-m", "cloud.tempest"]),
            # Last: the cloud's own services need some time to find back to each other after that.
            Check("faults of the cloud (pytest)", [*pytest, FAULT_TESTS]),
        ):
            yield stages.run(check, {**variables, "ZUN_CLOUD_REQUIRED": "1"}, progress)
    yield stages.run(Check("the end of the cloud (python -m cloud down)", [*cloud, "down"]), variables, progress)


def _with_keystone() -> list[str]:
    """The REST contract, and the tests of the commands of the official clients, `openstack` and `zun`."""
    folder, patterns = REPOSITORY / "tests" / "service", ("test_contract.py", "test_client*.py", "test_zun_*.py")
    return [str(file.relative_to(REPOSITORY)) for pattern in patterns for file in sorted(folder.glob(pattern))]


def _prepare_machine(progress: Progress) -> None:
    packages.forget_policy()
    missing = packages.missing(PACKAGES)
    if not missing:
        return
    progress.say(f"installing from the distribution: {', '.join(missing)}")
    # The tests start servers by hand, with folders and ports of their own; the distribution's must not run beside them.
    with packages.no_service_starts():
        packages.plan(missing)
        packages.install(missing)


@contextmanager
def _workplace() -> Iterator[Mapping[str, str]]:
    """A folder for all that the tests make, named in every process that they start; whatever is left in it is ended and removed."""
    for left in _TEMPORARY.glob(f"{_PREFIX}*"):
        if not processes.alive(_owner(left)):
            _clear(left)
    # The process number says whose it is; servers that run under accounts of their own use it as they would /tmp.
    folder = _TEMPORARY / f"{_PREFIX}{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o1777)
    try:
        yield _variables(folder)
    finally:
        _clear(folder)


def _variables(folder: Path) -> Mapping[str, str]:
    """No cloud, no proxy and no other person's setting reaches the tests. CI is set: a backend that is missing fails."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "DOCKER_", "PYTHON", "ZUN_"))}
    caches = {"MYPY_CACHE_DIR": ".venv/cache/mypy", "RUFF_CACHE_DIR": ".venv/cache/ruff"}
    path = f"{REPOSITORY}/.venv/bin:{kept.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    # What is compiled of our sources is kept beside them: some hundred processes begin here, and each would do it again.
    return {**kept, **caches, "PATH": path, "CI": "true", "TMPDIR": str(folder)}


def _clear(folder: Path) -> None:
    """End what still runs for a run of the tests, and remove its folder, mounts, control groups and bridges."""
    for pid in processes.naming(folder):
        processes.kill([*reversed(processes.descendants(pid)), pid])
    identities = {path.name for path in folder.glob("*/data/containers/*")}
    machine.unmount_below(folder)
    machine.remove_groups(lambda name: name in identities)
    _remove_bridges()
    shutil.rmtree(folder, ignore_errors=True)


def _remove_bridges() -> None:
    """tests/engines.py names a bridge after the process that made it: ``zt<pid>x<number>``."""
    for bridge in Path("/sys/class/net").glob("zt*x*"):
        pid = bridge.name.removeprefix("zt").partition("x")[0]
        if pid.isdigit() and not processes.alive(int(pid)):
            subprocess.run(["ip", "link", "delete", bridge.name], capture_output=True, check=False)
    host_network.remove_gone("zt")


def _owner(folder: Path) -> int:
    number = folder.name.removeprefix(_PREFIX)
    return int(number) if number.isdigit() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
