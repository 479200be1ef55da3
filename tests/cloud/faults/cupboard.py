"""The images that the engines of the hosts hold, and what else of images lies about there."""

from __future__ import annotations

from typing import Any

from cloud.world import World
from zun.drivers.image.glance import UNDER
from zun.drivers.runtime.docker_http import DockerHttp


class Cupboard:
    """Of all hosts together."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._before = self._contents()

    def holds(self, image: str) -> None:
        """An image of Glance was added since this was made, and nothing else that is not seen: no half of it, and no other."""
        self._take_off(image)
        assert self._contents() == self._before

    def _contents(self) -> dict[str, Any]:
        """By host: what the images are called, the bytes of all layers, whosever they are, and what is being unpacked."""
        found = {}
        for host in self._world.hosts:
            usage = self._ask(host.name, "GET", "/system/df")
            images = sorted(image["Id"] for image in self._ask(host.name, "GET", "/images/json", all="true"))
            found[host.name] = (images, usage["LayersSize"], sorted(each.name for each in (host.folder / "docker" / "tmp").iterdir()))
        return found

    def _take_off(self, image: str) -> None:
        """Where it is."""
        taken = 0
        for host in self._world.hosts:
            for held in self._ask(host.name, "GET", "/images/json"):
                for name in held["RepoTags"] or ():
                    if name.startswith(f"{UNDER}/{image}"):
                        self._ask(host.name, "DELETE", f"/images/{name}")
                        taken += 1
        assert taken, "no host has it"

    def _ask(self, host: str, method: str, path: str, **query: str) -> Any:
        engine = DockerHttp(str(self._world.engine(host)), timeout=60)
        try:
            return engine.call(method, path, query=query).data
        finally:
            engine.close()
