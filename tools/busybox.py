"""The small image of the demonstration: pulled where a registry answers, else made of the distribution's static busybox."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from tools import packages
from tools.engine_api import Engine
from tools.progress import Progress
from tools.record import Record

REPOSITORY, TAG = "busybox", "latest"
REFERENCE = f"{REPOSITORY}:{TAG}"
_FOLDERS = {"bin": 0o755, "etc": 0o755, "root": 0o700, "tmp": 0o1777, "var": 0o755}
#: Seconds of a registry's silence; where none can be reached, the engine's own patience would be a minute and more.
_PATIENCE = 15


def ensure(engine: Engine, record: Record, progress: Progress) -> None:
    """See that the engine has the image. Raises Trouble."""
    if engine.image(REFERENCE):
        return
    # Noted first: an image that was not there is ours, however far we get.
    record.images[REFERENCE] = ""
    record.save()
    progress.say(f"pulling the image {REFERENCE}")
    if not engine.pull(REPOSITORY, TAG, _PATIENCE):
        progress.say("no registry answers, so the image is made of the distribution's static busybox")
        engine.make_image(archive(program(record.folder)), REPOSITORY, TAG, '["sh"]')
    record.images[REFERENCE] = engine.image(REFERENCE) or ""
    record.save()


def archive(program: Path) -> bytes:
    """A root file system as a tar archive: the program under the name of each command that it knows, and a user called root."""
    names = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, mode in _FOLDERS.items():
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
        files = {"bin/busybox": program.read_bytes(), "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n", "etc/group": b"root:x:0:\n"}
        for name, content in files.items():
            file = tarfile.TarInfo(name)
            file.size, file.mode = len(content), 0o755 if name == "bin/busybox" else 0o644
            tar.addfile(file, io.BytesIO(content))
        for name in sorted(set(names) - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def program(folder: Path) -> Path:
    """The machine's own static busybox, or one unpacked below ``folder``. Raises Trouble.

    The package is not installed, because busybox-static would drive out busybox, on which a machine's boot may rest.
    """
    found = shutil.which("busybox")
    if found is not None and _is_static(Path(found)):
        return Path(found)
    folder = folder / "busybox"
    packages.download("busybox-static", folder)
    return next(path for path in (folder / "bin" / "busybox", folder / "usr" / "bin" / "busybox") if path.is_file())


def _is_static(program: Path) -> bool:
    """A program that needs no loader names none in its first page."""
    return b"/ld-" not in program.read_bytes()[:4096]
