"""The images that the tests take from Docker Hub, made here of the distribution's static busybox and put into the cloud's registry.

They do what the tests want of the real ones: ``cirros`` stays and has ``curl``; ``nginx`` says welcome; ``ubuntu`` has ``/bin/bash``.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from cloud.services import registry
from cloud.world import World
from tools import busybox

_CURL = '#!/bin/sh\nexec wget -q -O - "http://$1/"\n'
_WELCOME = "<!DOCTYPE html>\n<title>Welcome to nginx!</title>\n<h1>Welcome to nginx!</h1>\n"
#: Where nobody types, this one waits: a shell at the end of its input would end, and be begun again for ever.
_SHELL = '#!/bin/sh\n[ -t 0 ] || [ $# -gt 0 ] || exec sleep 1000000\nexec sh "$@"\n'
_WWW = "usr/share/nginx/html"


@dataclass(frozen=True, slots=True)
class Image:
    """What is in it besides busybox, by path, and what it runs."""

    command: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)


IMAGES: Mapping[str, Image] = {
    "alpine": Image(("sh",)),
    "cirros": Image(("/sbin/init",), {"usr/bin/curl": _CURL, "sbin/init": "#!/bin/sh\nexec sleep 1000000\n"}),
    "nginx": Image(("httpd", "-f", "-p", "80", "-h", f"/{_WWW}"), {f"{_WWW}/index.html": _WELCOME}),
    "ubuntu": Image(("/bin/bash",), {"bin/bash": _SHELL}),
}


def put(world: World) -> None:
    """See that the registry has them. Raises Trouble."""
    ground = busybox.archive(busybox.program(world.home / "cache"))
    for name, image in IMAGES.items():
        # No program of theirs hears that it shall end; without this each stop would take its whole grace.
        registry.put(world, f"library/{name}", "latest", archive(ground, image.files), list(image.command), {"StopSignal": "SIGKILL"})


def archive(ground: bytes, files: Mapping[str, str]) -> bytes:
    """A root file system with these files, all of them programs as far as their first line says so."""
    buffer = io.BytesIO(ground)
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        present = {member.name for member in tar.getmembers()}
        for name, text in files.items():
            for folder in _folders(name):
                if folder not in present:
                    present.add(folder)
                    member = tarfile.TarInfo(folder)
                    member.type, member.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(member)
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), 0o755 if text.startswith("#!") else 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _folders(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]
