"""Which files of an archive an image is made of: as Docker's ``manifest.json`` says, or an OCI image layout's ``index.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from zun.domain.architecture import plain, runs

#: An index may lead to another one; nobody needs more.
_DEEPEST = 4
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


class BadArchive(Exception):
    """It is no archive of one image; the words say why, and follow on "the archive"."""


class Foreign(BadArchive):
    """What is in it is built for other machines."""

    def __init__(self, built: str) -> None:
        super().__init__(f"is built for {built}")
        self.built = built


class Known(Protocol):
    """A file as the engine will have it."""

    @property
    def name(self) -> str:
        """What it is called there."""

    @property
    def digest(self) -> str:
        """The digest of what it is when it is not compressed."""


def docker(texts: Mapping[str, Any], files: Mapping[str, Known], name: str, host: str) -> bytes:
    """The ``manifest.json`` of the one image of an archive, under a name. ``texts`` are its JSON by path. Raises BadArchive, Foreign."""
    if "manifest.json" in texts:
        config, layers = _of_docker(texts["manifest.json"])
    elif "index.json" in texts:
        config, layers = _of_oci(texts, texts["index.json"], host, _DEEPEST)
    else:
        raise BadArchive("is neither Docker's (no manifest.json) nor an OCI image layout (no index.json)")
    told = texts.get(config)
    if config not in files or not isinstance(told, dict):
        raise BadArchive("lacks the configuration of its image")
    built = told.get("architecture")
    if isinstance(built, str) and not runs(host, built):
        raise Foreign(built[:64])
    _check_layers(told, layers, files)
    made = [{"Config": files[config].name, "RepoTags": [name], "Layers": [files[path].name for path in layers]}]
    return msgspec.json.encode(made)


def _check_layers(config: Mapping[str, Any], layers: list[str], files: Mapping[str, Known]) -> None:
    """Raises BadArchive unless every layer that the configuration names is there, and is the one."""
    roots = config.get("rootfs")
    named = roots.get("diff_ids") if isinstance(roots, dict) else None
    if not isinstance(named, list) or len(named) != len(layers):
        raise BadArchive("has other layers than the configuration of its image says")
    for number, (path, digest) in enumerate(zip(layers, named, strict=True), 1):
        if path not in files:
            raise BadArchive(f"lacks layer {number} of its image")
        if files[path].digest != digest:
            why = "than the configuration of its image says, or has it compressed, but not by gzip"
            raise BadArchive(f"has another layer {number} {why}")


def _of_docker(told: Any) -> tuple[str, list[str]]:
    if not isinstance(told, list) or len(told) != 1 or not isinstance(told[0], dict):
        raise BadArchive("does not hold just one image")
    config, layers = told[0].get("Config"), told[0].get("Layers")
    if not isinstance(config, str) or not isinstance(layers, list) or not all(isinstance(each, str) for each in layers):
        raise BadArchive("has a manifest.json that says nothing of its image")
    return config, layers


def _of_oci(texts: Mapping[str, Any], index: Any, host: str, deepest: int) -> tuple[str, list[str]]:
    found = _chosen(index, host)
    told = texts.get(_path(found))
    if not isinstance(told, dict):
        raise BadArchive("lacks the manifest of its image")
    if found.get("mediaType") in _INDEXES or "manifests" in told:
        if deepest == 0:
            raise BadArchive("has an index that leads from index to index")
        return _of_oci(texts, told, host, deepest - 1)
    layers = told.get("layers")
    if not isinstance(layers, list):
        raise BadArchive("has a manifest without layers")
    return _path(told.get("config")), [_path(layer) for layer in layers]


def _chosen(index: Any, host: str) -> Mapping[str, Any]:
    """The one of an index that the host runs. Raises BadArchive where there are several, Foreign where there are others only."""
    listed = index.get("manifests") if isinstance(index, dict) else None
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    built = [_built(each) for each in found]
    # What vouches for an image is listed beside it, as of no machine.
    able = [each for each, architecture in zip(found, built, strict=True) if architecture != "unknown" and runs(host, architecture)]
    exact = [each for each in able if plain(_built(each)) == plain(host)] or able
    if not exact and any(architecture not in ("", "unknown") for architecture in built):
        raise Foreign(", ".join(sorted({each for each in built if each not in ("", "unknown")}))[:200])
    if len({str(each.get("digest")) for each in exact}) != 1:
        raise BadArchive("does not hold just one image")
    return exact[0]


def _built(entry: Mapping[str, Any]) -> str:
    platform = entry.get("platform")
    return str(platform.get("architecture") or "")[:64] if isinstance(platform, dict) else ""


def _path(entry: Any) -> str:
    """Where an OCI image layout has what is described by a digest."""
    digest = entry.get("digest") if isinstance(entry, dict) else None
    if not isinstance(digest, str) or digest.count(":") != 1:
        raise BadArchive("describes something without a digest")
    algorithm, _, value = digest.partition(":")
    return f"blobs/{algorithm}/{value}"
