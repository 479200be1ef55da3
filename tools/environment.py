"""A virtual environment with this package in it, made anew only when something that went into it has changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.progress import Trouble

REPOSITORY = Path(__file__).resolve().parents[1]

_MARK = "zun-fingerprint"


@dataclass(frozen=True, slots=True)
class Environment:
    """``folder`` holds ``repository`` with ``extras``; ``editable`` for those who work on it. ``cache`` is uv's, None its own choice."""

    folder: Path
    repository: Path
    extras: Sequence[str]
    editable: bool = False
    cache: Path | None = None

    def program(self, name: str) -> str:
        """The path of an installed program."""
        return str(self.folder / "bin" / name)


def development() -> Environment:
    """The environment of those who work on this: ``.venv``, with everything in it."""
    return Environment(REPOSITORY / ".venv", REPOSITORY, ["client", "mysql", "openstack", "postgresql", "test"], editable=True)


def fingerprint(environment: Environment) -> str:
    """Changes when anything that goes into the environment changes."""
    digest = hashlib.sha256(repr((sorted(environment.extras), environment.editable)).encode())
    files = [environment.repository / name for name in ("pyproject.toml", "constraints.txt")]
    if not environment.editable:
        files += sorted(path for path in (environment.repository / "zun").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    for path in files:
        digest.update(f"{path.relative_to(environment.repository)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def ready(environment: Environment) -> bool:
    """Whether nothing needs to be done."""
    return _marked(environment) == [fingerprint(environment), _python()]


def make(environment: Environment) -> None:
    """Make the environment, or bring it up to date. Raises Trouble with the last words of what failed."""
    wanted = fingerprint(environment)
    mark = environment.folder / _MARK
    usable = _marked(environment)[1:] == [_python()]
    mark.unlink(missing_ok=True)
    if not usable:
        create(environment.folder)
    target = f"{environment.repository}[{','.join(environment.extras)}]"
    what = ["-e", target] if environment.editable else [target]
    constraints = environment.repository / "constraints.txt"
    install(environment.folder, constraints, what, again=["--reinstall-package", "zun-service"], cache=environment.cache)
    mark.write_text(f"{wanted}\n{_python()}\n")


def create(folder: Path) -> None:
    """Make an empty environment of the Python that runs this. Raises Trouble."""
    _run(None, sys.executable, "-m", "venv", "--clear", str(folder))


def install(folder: Path, constraints: Path, what: Sequence[str], again: Sequence[str] = (), cache: Path | None = None) -> None:
    """Install ``what`` (pip's arguments) in the versions of ``constraints``; ``again`` are uv's options for what may be installed already.

    With uv, because it takes a fifth of pip's time; with pip where uv cannot be had or does not reach the index that pip reaches.
    """
    python, uv = str(folder / "bin/python"), str(folder / "bin/uv")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "-c", str(constraints)]
    try:
        if not Path(uv).exists():
            _run(cache, *pip, "uv")
        command = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            python,
            "-c",
            str(constraints),
            "-b",
            str(constraints),
        ]
        _run(cache, *command, *again, *what)
    except Trouble as trouble:
        print(f"uv does not do here, so pip is used: {str(trouble).splitlines()[-1]}", file=sys.stderr)
        _run(cache, *pip, "--upgrade", *what)
    finally:
        if cache is not None:
            shutil.rmtree(cache, ignore_errors=True)


def _marked(environment: Environment) -> list[str]:
    """What it was made of and with which Python; nothing for one that is not finished."""
    mark = environment.folder / _MARK
    return mark.read_text().splitlines() if mark.exists() else []


def _python() -> str:
    return f"{sys.executable} {'.'.join(map(str, sys.version_info[:3]))}"


def _run(cache: Path | None, *command: str) -> None:
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    if cache is not None:
        variables["UV_CACHE_DIR"] = str(cache)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Trouble(f"'{' '.join(command[:6])} ...' failed:\n{(done.stdout + done.stderr).strip()[-1500:]}")


if __name__ == "__main__":
    if not ready(development()):
        make(development())
