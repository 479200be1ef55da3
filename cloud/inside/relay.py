"""An engine's socket on a TCP port of the loopback interface, for as long as this runs: ``relay.py SOCKET PORT``.

zun-tempest-plugin asks an engine at ``tcp://localhost:2375``, with the address written into its tests. It is run in a network of its own,
where nobody else is, and this relay there; no engine of the cloud, and nothing of the service, listens on TCP.
"""

from __future__ import annotations

import socket
import socketserver
import sys
import threading
from collections.abc import Sequence


class _Call(socketserver.BaseRequestHandler):
    """One connection, carried in both directions until each side has said all it has to say."""

    def handle(self) -> None:
        """See the class."""
        server = self.server
        assert isinstance(server, _Relay)
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(server.engine)
            back = threading.Thread(target=_carry, args=(engine, self.request), daemon=True)
            back.start()
            _carry(self.request, engine)
            back.join()


class _Relay(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    engine = ""


def _carry(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def main(arguments: Sequence[str]) -> None:
    """Relay until killed."""
    with _Relay(("127.0.0.1", int(arguments[1])), _Call) as relay:
        relay.engine = arguments[0]
        relay.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
