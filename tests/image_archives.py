"""Archives of images, as Docker and others write them, and as nobody should."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

LAYER = b"the files of a layer" * 40


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar(files: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """An archive of files by name; a TarInfo is added as it is."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


def untar(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def config(*layers: bytes, architecture: str = "amd64", **more: Any) -> bytes:
    """The configuration of an image of these layers, as they are when they are not compressed."""
    roots = {"type": "layers", "diff_ids": [sha256(layer) for layer in layers or (LAYER,)]}
    return json.dumps({"architecture": architecture, "os": "linux", "rootfs": roots, **more}).encode()


def manifest(settings: str = "config.json", *layers: str, tags: list[str] | None = None) -> bytes:
    return json.dumps([{"Config": settings, "RepoTags": tags, "Layers": list(layers or ("layer.tar",))}]).encode()


def docker(tags: list[str] | None = None, layer: bytes = LAYER, **facts: Any) -> bytes:
    """What ``docker save`` writes."""
    return tar({"layer.tar": layer, "config.json": config(layer, **facts), "manifest.json": manifest(tags=tags)})


def oci(*architectures: str, layer: bytes = LAYER, compressed: bool = True) -> bytes:
    """An OCI image layout with an image for each architecture."""
    blobs: dict[str, bytes] = {}

    def put(data: bytes, **more: Any) -> dict[str, Any]:
        digest = sha256(data)
        blobs[f"blobs/{digest.replace(':', '/')}"] = data
        return {"digest": digest, "size": len(data), **more}

    listed = []
    for architecture in architectures or ("amd64",):
        settings = put(config(layer, architecture=architecture))
        layers = [put(gzip.compress(layer, mtime=0) if compressed else layer)]
        text = json.dumps({"schemaVersion": 2, "config": settings, "layers": layers}).encode()
        listed.append(put(text, platform={"architecture": architecture, "os": "linux"}))
    index = json.dumps({"schemaVersion": 2, "manifests": listed}).encode()
    return tar({"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', **blobs, "index.json": index})


def pieces(data: bytes, size: int = 1000) -> Iterator[bytes]:
    """As it comes over a wire."""
    yield from (data[at : at + size] for at in range(0, len(data), size))
