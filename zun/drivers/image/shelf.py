"""Images of Glance on this host: the engine holds them, a file each remembers when one was last asked for, and there is a bound on all."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from zun import errors
from zun.interfaces.runtime import EngineImage, HeldImage, Runtime

LOG = logging.getLogger(__name__)

#: So long (seconds) after it was asked for an image stays, whatever room is wanted: its container is being made.
GRACE = 600.0
#: seconds between two times that whoever waits for another one's download is asked whether he still does
_ASK_EVERY = 1.0


class Shelf:
    """The images whose names begin with ``under``. Safe for several threads of one process."""

    def __init__(self, runtime: Runtime, under: str, folder: Path, *, most: int, clock: Callable[[], float]) -> None:
        """``most`` bytes may be held of images that nothing is made of, and others; 0 is no bound. ``clock`` gives seconds since 1970."""
        self._runtime, self._under, self._folder, self._most, self._clock = runtime, under, folder, most, clock
        self._lock = threading.Lock()
        #: by name, who brings it
        self._coming: dict[str, threading.Lock] = {}

    @contextlib.contextmanager
    def alone(self, name: str, wanted: Callable[[], None]) -> Iterator[None]:
        """One at a time for each image: what one brings, the next one finds. Who waits is asked by ``wanted``, which raises to give up."""
        with self._lock:
            lock = self._coming.setdefault(name, threading.Lock())
        while not lock.acquire(timeout=_ASK_EVERY):
            wanted()
        try:
            yield
        finally:
            lock.release()
            with self._lock:
                if not lock.locked():
                    self._coming.pop(name, None)

    def take(self, name: str) -> EngineImage | None:
        """The image, if it is there; it is not thrown away soon."""
        with self._lock:
            held = self._runtime.image(name)
            if held is not None:
                self._touch(name)
            return held

    def make_room(self, size: int) -> None:
        """Throw away those that were not asked for longest, until so many bytes more are within the bound. What a container is made of
        stays, and what was asked for just now."""
        if not self._most:
            return
        with self._lock:
            held = self._runtime.images(self._under)
            excess = sum(each.size for each in held) + size - self._most
            for each in sorted(held, key=lambda one: self._asked(one.name)):
                if excess <= 0:
                    break
                if self._thrown_away(each):
                    excess -= each.size
            self._forget({each.name for each in held})

    # -- within ----------------------------------------------------------------------------------

    def _thrown_away(self, held: HeldImage) -> bool:
        if self._clock() - self._asked(held.name) < GRACE:
            return False
        try:
            self._runtime.remove_image(held.name)
        except errors.ImageInUse:
            return False
        except errors.EngineError as error:
            LOG.warning("image %s stays on this host: %s", held.name, error)
            return False
        LOG.info("image %s was removed from this host to make room", held.name)
        return True

    def _mark(self, name: str) -> Path:
        return self._folder / name.removeprefix(f"{self._under}/").replace("/", "_").replace(":", "_")

    def _asked(self, name: str) -> float:
        """When it was last asked for (seconds since 1970); 0 where nobody knows."""
        try:
            return self._mark(name).stat().st_mtime
        except OSError:
            return 0.0

    def _touch(self, name: str) -> None:
        now = self._clock()
        mark = self._mark(name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            mark.touch()
            os.utime(mark, (now, now))
        except OSError as error:
            LOG.warning("when image %s was asked for is not remembered: %s", name, error)

    def _forget(self, names: set[str]) -> None:
        """Forget those that are not held any more."""
        kept = {self._mark(name).name for name in names if self._runtime.image(name) is not None}
        with contextlib.suppress(OSError):
            for mark in self._folder.iterdir():
                if mark.name not in kept:
                    mark.unlink(missing_ok=True)
