"""The WSGI server that both sides run under, with the same settings: two processes, one request at a time in each."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cloud.world import World

VERSION = "2.0.30.post1"
PROCESSES = 2
_RUN = "import sys; sys.path.append(sys.argv.pop(1)); import pyuwsgi; pyuwsgi.run()"


def install(world: World, uv: str, python: str) -> bool:
    """See that it is here, beside all environments: it serves whatever the Python that starts it finds. Raises CalledProcessError."""
    if (_folder(world) / "installed").exists():
        return False
    command = [uv, "pip", "install", "--quiet", "--python", python, "--only-binary", ":all:", "--target", str(_folder(world))]
    subprocess.run([*command, f"pyuwsgi=={VERSION}"], check=True, stdin=subprocess.DEVNULL)
    (_folder(world) / "installed").touch()
    return True


def command(world: World, python: str, address: str, port: int, module: str) -> list[str]:
    """What serves an application at that port."""
    options = {
        "module": module,
        "http-socket": f"{address}:{port}",
        "processes": str(PROCESSES),
        "listen": "100",
        "buffer-size": "65535",
        "procname-prefix": "bench-",
    }
    flags = ["master", "lazy-apps", "enable-threads", "thunder-lock", "need-app", "disable-logging", "die-on-term"]
    words = [f"--{name}={value}" for name, value in options.items()]
    return [python, "-c", _RUN, str(_folder(world)), *words, *(f"--{flag}" for flag in flags)]


def _folder(world: World) -> Path:
    return world.home / f"uwsgi-{VERSION}"
