"""An engine that says of itself that it has another processor. Nobody has a second kind of machine at hand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cloud.world import World

#: As long as what it stands for, so that no answer becomes longer or shorter than its head says.
TRUTH, PRETENCE = b'"Architecture":"x86_64"', b'"Architecture":"armv7l"'


@contextmanager
def another_processor(cloud: World, host: str) -> Iterator[Path]:
    """The socket of a host's engine, as one of an armv7l says it. Only what the engine says of its host is changed, not of images."""
    path = cloud.node(host).folder / "pretence.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=_serve, args=(listener, cloud.engine(host)), daemon=True).start()
        try:
            yield path
        finally:
            # Whoever waits in accept() is not woken by close().
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            path.unlink()


def _serve(listener: socket.socket, engine: Path) -> None:
    while True:
        try:
            caller, _ = listener.accept()
        except OSError:
            return
        behind = socket.socket(socket.AF_UNIX)
        behind.connect(str(engine))
        for source, target in ((caller, behind), (behind, caller)):
            threading.Thread(target=_carry, args=(source, target), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece.replace(TRUTH, PRETENCE))
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
