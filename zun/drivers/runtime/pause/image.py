"""Makes the pause image out of nothing but this file: no registry, no compiler, some five kilobytes.

The machine code below is what ``as`` makes of ``x86_64.s`` and ``aarch64.s`` in this directory; a test assembles them again and compares.
Around it go an ELF header, a tar archive that is the only layer, and the archive form that engines load. Every byte is fixed, so the
image has the same id on every host and making it twice makes it once.
"""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
from dataclasses import dataclass
from typing import Any

import msgspec

from zun.domain.image import RESERVED

#: To be raised with every change of the code or of the image's configuration: it is the image's tag.
VERSION = "1"
#: No registry can ever have this name (RFC 2606), nor may a user's image: nobody can put another image in the place of this one, which
#: every sandbox runs.
REFERENCE = f"{RESERVED}/zun/pause:{VERSION}"

_BASE = 0x400000
#: the largest page of either architecture
_PAGE = 0x10000


@dataclass(frozen=True, slots=True)
class Machine:
    """One architecture: ELF's number for it, and the code."""

    elf: int
    code: bytes


#: By the name that Docker and OCI give the architecture.
MACHINES = {
    "amd64": Machine(
        62,
        bytes.fromhex(
            "6802400100 4889e3 31ff 4889de 31d2 41ba08000000 b80e000000 0f05"  # block the signals
            "48c7c7ffffffff 31f6 ba01000000 4531d2 b83d000000 0f05 4885c0 7fe3"  # reap: wait4 until nobody is left
            "4889df 31f6 31d2 41ba08000000 b880000000 0f05"  # wait for a signal
            "83f802 7405 83f80f 75c5"  # SIGINT, SIGTERM: end; else reap
            "31ff b8e7000000 0f05"  # end: exit_group(0)
        ),
    ),
    "arm64": Machine(
        183,
        bytes.fromhex(
            "530088d2 3300a0f2 f30f1ff8 000080d2 e1030091 020080d2 030180d2 e81080d2 010000d4"  # block the signals
            "00008092 010080d2 220080d2 030080d2 882080d2 010000d4 1f0000f1 2cffff54"  # reap: wait4 until nobody is left
            "e0030091 010080d2 020080d2 030180d2 281180d2 010000d4"  # wait for a signal
            "1f0800f1 60000054 1f3c00f1 e1fdff54"  # SIGINT, SIGTERM: end; else reap
            "000080d2 c80b80d2 010000d4"  # end: exit_group(0)
        ),
    ),
}


def binary(architecture: str) -> bytes:
    """The program, a static ELF executable. Raises KeyError for an architecture that it was not written for."""
    machine = MACHINES[architecture]
    size = 64 + 2 * 56 + len(machine.code)
    identity = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)  # 64 bits, little endian, version 1, System V
    header = identity + struct.pack("<HHIQQQIHHHHHH", 2, machine.elf, 1, _BASE + size - len(machine.code), 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, _PAGE)  # PT_LOAD, readable and executable
    stack = struct.pack("<IIQQQQQQ", 0x6474E551, 6, 0, 0, 0, 0, 0, 16)  # PT_GNU_STACK, not executable
    return header + load + stack + machine.code


def archive(architecture: str) -> bytes:
    """The image in the form of ``docker save``. Raises KeyError as :func:`binary`."""
    layer = _tar({"pause": (binary(architecture), 0o755)})
    born = "1970-01-01T00:00:00Z"
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": born,
        "config": {"Entrypoint": ["/pause"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}"]},
        "history": [{"created": born, "created_by": REFERENCE}],
    }
    encoded = msgspec.json.encode(config)
    named = f"{_digest(encoded)}.json"
    manifest: list[dict[str, Any]] = [{"Config": named, "RepoTags": [REFERENCE], "Layers": ["layer.tar"]}]
    return _tar({named: (encoded, 0o644), "layer.tar": (layer, 0o644), "manifest.json": (msgspec.json.encode(manifest), 0o644)})


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
