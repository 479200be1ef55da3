"""A registry for images: the engines of the hosts take it for Docker Hub too."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import os
from collections.abc import Mapping
from typing import Any

from cloud import daemons
from cloud.daemons import Daemon
from cloud.world import World
from tools import busybox
from tools.progress import Trouble

#: What is in it from the beginning; a pull of ``busybox`` that is meant for Docker Hub finds it.
IMAGE = "library/busybox"
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def start(world: World) -> bool:
    """See that it runs."""
    node = world.controller
    address, _, port = world.registry.partition(":")
    # YAML reads JSON.
    settings = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": f"{node.folder}/registry"}, "delete": {"enabled": True}},
        "http": {"addr": world.registry},
    }
    file = node.folder / "etc" / "registry.yml"
    command = ["docker-registry", "serve", str(file)]
    return daemons.start(world, Daemon("registry", node, command, daemons.listens(address, int(port)), {file: json.dumps(settings)}))


def fill(world: World) -> bool:
    """See that it has an image to begin with. Returns whether it had none. Raises Trouble."""
    if _ask(world, "HEAD", f"/v2/{IMAGE}/manifests/latest", accepted=(200, 404)).status == 200:
        return False
    put(world, IMAGE, "latest", busybox.archive(busybox.program(world.home / "cache")), ["sh"])
    return True


def put(world: World, repository: str, tag: str, archive: bytes, command: list[str], settings: Mapping[str, Any] | None = None) -> None:
    """Put an image of one layer, a tar archive of its root file system, into the registry; ``settings`` are more of its configuration, as
    OCI names it. Raises Trouble."""
    layer = gzip.compress(archive, compresslevel=1, mtime=0)
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
            "os": "linux",
            "config": {
                "Cmd": command,
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                **(settings or {}),
            },
            "rootfs": {"type": "layers", "diff_ids": [_digest(archive)]},
            "history": [{"created_by": "the test cloud"}],
        }
    ).encode()
    parts = [(_CONFIG, config), (_LAYER, layer)]
    for _, content in parts:
        begun = _ask(world, "POST", f"/v2/{repository}/blobs/uploads/")
        place = begun.headers["Location"].partition(world.registry)[2]
        _ask(world, "PUT", f"{place}{'&' if '?' in place else '?'}digest={_digest(content)}", content)
    described = [{"mediaType": kind, "size": len(content), "digest": _digest(content)} for kind, content in parts]
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described[0], "layers": described[1:]}
    _ask(world, "PUT", f"/v2/{repository}/manifests/{tag}", json.dumps(manifest).encode(), _MANIFEST)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _ask(
    world: World,
    method: str,
    path: str,
    body: bytes = b"",
    kind: str = "application/octet-stream",
    accepted: tuple[int, ...] = (200, 201, 202),
) -> Any:
    connection = http.client.HTTPConnection(world.registry, timeout=60)
    try:
        connection.request(method, path, body=body, headers={"Content-Type": kind, "Accept": _MANIFEST})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status not in accepted:
        raise Trouble(f"the registry at {world.registry} answers {answer.status} to {method} {path}: {text[:500]!r}")
    return answer
