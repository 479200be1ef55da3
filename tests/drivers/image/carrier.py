"""A process that fetches images of Glance into an engine, and sends them back, and says by how much its memory has grown meanwhile.

``python carrier.py GLANCE-URL ENGINE-SOCKET FOLDER``; then, a line each on its input, ``pull IMAGE-UUID`` and ``push IMAGE-UUID NEW-UUID``.
For each it writes the MiB by which the most that it has had in memory was above what it had before.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.glances import connecting
from zun.conformance.images import silent
from zun.drivers.image.glance import UNDER, GlanceImages
from zun.drivers.image.sdk import SdkGlance
from zun.drivers.image.shelf import Shelf
from zun.drivers.runtime.docker import DockerRuntime
from zun.interfaces.images import Source, Target

_FORGET_PEAK = "5"


def main(url: str, socket: str, folder: str) -> None:
    """Until nothing more is asked for."""
    runtime = DockerRuntime(socket, "carrier")
    shelf = Shelf(runtime, UNDER, Path(folder), most=0, clock=lambda: 1e9)
    images = GlanceImages(SdkGlance(connecting(url)), runtime, shelf, largest=1 << 30)
    for line in sys.stdin:
        verb, image, *new = line.split()
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK)
        before = _kib("VmRSS")
        if verb == "pull":
            images.ensure(Source(reference="web", project_id="mine", image_uuid=image), "always", silent)
        else:
            (held,) = runtime.images(f"{UNDER}/{image}")
            images.push(held.name, Target(reference="copy:1", project_id="mine", uuid=new[0]), silent)
        print((_kib("VmHWM") - before) >> 10, flush=True)
    runtime.close()


def _kib(fact: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{fact}:"))


if __name__ == "__main__":
    main(*sys.argv[1:])
