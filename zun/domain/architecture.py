"""Processors by their names. Kernels, engines, registries and Glance call the same one differently."""

from __future__ import annotations

#: what a kernel or Glance says: what engines and registries say (OCI, after Go)
_NAMES = {
    "x86_64": "amd64",
    "x64": "amd64",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "x86": "386",
    "aarch64": "arm64",
    "armv8": "arm64",
    "armv5l": "arm",
    "armv6l": "arm",
    "armv7": "arm",
    "armv7a": "arm",
    "armv7l": "arm",
    "armhf": "arm",
    "loongarch64": "loong64",
    "ppc64el": "ppc64le",
}

#: by a host's architecture, the others whose programs its kernel runs as well
_ALSO_RUNS = {"amd64": frozenset({"386"}), "arm64": frozenset({"arm"})}


def plain(name: str) -> str:
    """The one name that an architecture has here, whichever it was given: ``x86_64`` is ``amd64``."""
    lower = name.strip().lower()
    return _NAMES.get(lower, lower)


def runs(host: str, built: str) -> bool:
    """Whether a host of one architecture runs what was built for another. What is not known (empty) is not held against anybody."""
    host, built = plain(host), plain(built)
    return not host or not built or built == host or built in _ALSO_RUNS.get(host, ())
