"""Small images for tests, made from the distribution's static busybox: no registry answers where tests run."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from zun.drivers.runtime.docker_http import DockerHttp

BUSYBOX = "busybox:latest"


def busybox() -> Path:
    """The static busybox of this machine. Raises LookupError where there is none."""
    found = shutil.which("busybox")
    if found is None or b"\0/lib" in Path(found).read_bytes()[:4096]:
        raise LookupError("no static busybox is installed (Debian: busybox-static)")
    return Path(found)


def root_archive(extra: bytes = b"") -> bytes:
    """A root file system: busybox under the name of each of its applets, a user called root, and perhaps a file of the test's own."""
    program = busybox()
    applets = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for directory, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777), ("var", 0o755)):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        _add(tar, "bin/busybox", program.read_bytes(), 0o755)
        _add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
        _add(tar, "etc/group", b"root:x:0:\n", 0o644)
        if extra:
            _add(tar, "root/extra", extra, 0o644)
        for applet in sorted(set(applets) - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def load_busybox(socket: str, reference: str = BUSYBOX, changes: tuple[str, ...] = ('CMD ["sh"]',), extra: bytes = b"") -> str:
    """Put the image into the engine behind a unix socket, with Dockerfile lines on top. Returns the reference.

    With ``extra`` its one layer is like no other's.
    """
    repository, _, tag = reference.rpartition(":")
    http = DockerHttp(socket, timeout=60)
    try:
        query = {"fromSrc": "-", "repo": repository, "tag": tag, "changes": changes[0] if changes else None}
        answer = http.call("POST", "/images/create", query=query, body=root_archive(extra))
        assert answer.ok, answer.message
    finally:
        http.close()
    return reference


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
