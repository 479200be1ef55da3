"""How names are known in a sandbox of Neutron's: two files of its own, which are written in place, because containers hold on to them.

Their folder is there from before anything is made for a sandbox until nothing is left of it: by it the host knows whom it has plugged.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from zun.interfaces.runtime import Bind

#: resolv.conf(5) reads no more
_MOST_SERVERS = 3

_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"


class Names:
    """The files of the sandboxes of this host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, device: str, hostname: str | None, addresses: Sequence[str], servers: Sequence[str], domains: Sequence[str]) -> None:
        """Say who the sandbox is and whom it asks. Raises OSError."""
        place = self.begin(device)
        lines = [f"nameserver {server}\n" for server in list(dict.fromkeys(servers))[:_MOST_SERVERS]]
        found = list(dict.fromkeys(domain.rstrip(".") for domain in domains if domain.strip(".")))
        if found:
            lines.append(f"search {' '.join(found)}\n")
        _put(place / "resolv.conf", "".join(lines))
        _put(place / "hosts", _HOSTS + "".join(f"{address}\t{hostname}\n" for address in addresses if hostname))

    def begin(self, device: str) -> Path:
        """There will be something of it here. Returns where. Raises OSError."""
        place = self._folder / device
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        return place

    def binds(self, device: str) -> list[Bind]:
        """Where containers see them."""
        place = self._folder / device
        return [Bind(source=str(place / name), destination=f"/etc/{name}") for name in ("resolv.conf", "hosts") if (place / name).exists()]

    def knows(self, device: str) -> bool:
        """Whether there may be something of it here."""
        return (self._folder / device).is_dir()

    def devices(self) -> list[str]:
        """Who has something here, or may have. Raises OSError."""
        return sorted(path.name for path in self._folder.iterdir()) if self._folder.is_dir() else []

    def remove(self, device: str) -> None:
        """Remove them; gone already is as good."""
        shutil.rmtree(self._folder / device, ignore_errors=True)


def _put(path: Path, text: str) -> None:
    path.write_text(text)
    # Everybody in the container reads it, whoever he is.
    path.chmod(0o644)
