"""Packages of the distribution (Debian, Ubuntu): which are missing, install them, and take away again exactly what was installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tools.progress import Trouble

POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = """\
#!/bin/sh
# Zun: for as long as it installs packages, no service is started by them. Left over? Then it may be deleted.
exit 101
"""
_LISTS = Path("/var/lib/apt/lists")


def missing(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are not installed."""
    return [name for name in names if not _installed(name)]


def _installed(name: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    asked = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status}", name], capture_output=True, text=True, check=False)
    return asked.stdout == "installed"


def plan(names: Sequence[str]) -> list[str]:
    """Every package that installing ``names`` would add, dependencies included. Raises Trouble when they cannot be had here."""
    if not names:
        return []
    if shutil.which("apt-get") is None:
        raise Trouble(f"this machine has no apt-get; please install these by hand: {' '.join(names)}")
    if not any(_LISTS.glob("*Packages*")):
        _apt("update")
    simulated = _apt("install", "--simulate", *names, check=False)
    if simulated.returncode != 0:
        _apt("update")
        simulated = _apt("install", "--simulate", *names)
    return [line.split()[1] for line in simulated.stdout.splitlines() if line.startswith("Inst ") and "[" not in line.split(" (")[0]]


def install(names: Sequence[str]) -> None:
    """Install ``names`` and what they need, nothing that is merely recommended. Raises Trouble with apt's last words."""
    if names and _apt("install", *names, check=False).returncode != 0:
        _apt("update")
        _apt("install", *names)


def needed_by(names: Sequence[str]) -> list[str]:
    """Other packages that would have to go with ``names``."""
    present = [name for name in names if _installed(name)]
    simulated = _apt("purge", "--simulate", *present).stdout if present else ""
    goes = {line.split()[1] for line in simulated.splitlines() if line.startswith(("Remv ", "Purg "))}
    return sorted(goes - set(present))


def purge(names: Sequence[str]) -> None:
    """Take ``names`` away, configuration too."""
    present = [name for name in names if _installed(name)]
    if present:
        _apt("purge", *present)


def download(name: str, folder: Path) -> None:
    """Unpack a package below ``folder``, without installing it. Raises Trouble."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(_LISTS.glob("*Packages*")):
        _apt("update")
    got = subprocess.run(["apt-get", "download", "-q", name], cwd=folder, capture_output=True, text=True, check=False)
    archives = list(folder.glob(f"{name}_*.deb"))
    if got.returncode != 0 or not archives:
        raise Trouble(f"the package {name} could not be fetched: {got.stderr.strip()[-500:]}")
    subprocess.run(["dpkg-deb", "-x", str(archives[0]), str(folder)], check=True)


def _apt(verb: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "--no-install-recommends", verb, *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL)
    if check and done.returncode != 0:
        raise Trouble(f"'{' '.join(['apt-get', verb, *arguments])}' failed:\n{(done.stdout + done.stderr).strip()[-1500:]}")
    return done


@contextmanager
def no_service_starts() -> Iterator[None]:
    """While this lasts, packages that are installed start no service. Afterwards all is as before."""
    if POLICY.exists() and not _ours():
        # Somebody has set a policy already (a container image, say); the usual one is the same as ours.
        yield
        return
    POLICY.write_text(_POLICY_TEXT)
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        forget_policy()


def forget_policy() -> None:
    """Remove our policy file, also one that a killed run has left."""
    if POLICY.exists() and _ours():
        POLICY.unlink()


def _ours() -> bool:
    return POLICY.read_text(errors="replace") == _POLICY_TEXT
