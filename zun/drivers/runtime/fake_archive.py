"""Docker archives of images that the engine in memory holds: its facts are in their configurations."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Generator, Iterator
from typing import Any

import msgspec

from zun import errors
from zun.domain import image as references
from zun.interfaces.runtime import EngineImage

_PIECE = 4096


def write(held: EngineImage, name: str) -> Generator[bytes, None, None]:
    """An archive of an image, by the name that it was asked for."""
    layer = f"what {held.id} has in its files".encode()
    config = {
        "architecture": held.architecture,
        "os": "linux",
        "config": {"ExposedPorts": {f"{port}/tcp": {} for port in held.ports}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"comment": held.id}],
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        files = {"layer.tar": layer, "config.json": msgspec.json.encode(config), "manifest.json": msgspec.json.encode(manifest)}
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    whole = buffer.getvalue()
    yield from (whole[at : at + _PIECE] for at in range(0, len(whole), _PIECE))


def read(pieces: Iterator[bytes]) -> Iterator[tuple[str, EngineImage]]:
    """The images of an archive by their names, as a real engine completes them. Raises EngineError for one that is none."""
    whole = b"".join(pieces)
    try:
        with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
            files = {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isreg()}  # type: ignore[union-attr]
        listed: list[dict[str, Any]] = msgspec.json.decode(files["manifest.json"])
        found = [(tag, _image(files, each)) for each in listed for tag in each["RepoTags"] or ()]
    except (tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise errors.EngineError(reason=f"invalid archive: {error}") from error
    yield from ((references.parse(name, ours=True).exact, held) for name, held in found)


def _image(files: dict[str, bytes], listed: dict[str, Any]) -> EngineImage:
    text = files[listed["Config"]]
    config = msgspec.json.decode(text)
    exposed = (config.get("config") or {}).get("ExposedPorts") or {}
    return EngineImage(
        id=f"sha256:{hashlib.sha256(text).hexdigest()}",
        ports=sorted(int(port.partition("/")[0]) for port in exposed),
        architecture=config.get("architecture") or "",
        size=sum(len(files[layer]) for layer in listed["Layers"]),
    )
