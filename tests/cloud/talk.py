"""A conversation between two network namespaces: ``talk.py serve tcp|udp PORT`` and ``talk.py ask tcp|udp ADDRESS PORT SECONDS``, or
``talk.py converse tcp|udp ADDRESS PORT``.

The server answers everybody with what it heard, until it is ended; who asks prints the answer, or ``silence``, or ``refused``. Who
converses says a word twenty times a second until its input ends, by one connection; it prints ``heard`` when the first one has come back,
and at the end how many it has said and how many never came back.
"""

import contextlib
import select
import socket
import sys
import time

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
#: Never cut in two, not by TCP either, when it is said alone.
WORD = b"word"
#: Long enough for several packets of TCP, short enough for one of UDP.
WORDS = {"tcp": b"w" * 100_000, "udp": b"w" * 1_000}


def serve(kind: str, port: int) -> None:
    with socket.socket(socket.AF_INET6, KINDS[kind]) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # The one before it may have ended in the middle of a connection.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", port))
        if kind == "udp":
            while True:
                listener.sendto(*listener.recvfrom(65_536))
        listener.listen()
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                while piece := connection.recv(65_536):
                    connection.sendall(piece)


def ask(kind: str, address: str, port: int, seconds: float) -> str:
    words = WORDS[kind]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, KINDS[kind]) as caller:
        caller.settimeout(seconds)
        try:
            caller.connect((address, port))
            caller.sendall(words)
            heard = b""
            while len(heard) < len(words):
                heard += caller.recv(65_536) or words
        except TimeoutError:
            return "silence"
        except OSError as error:
            return "refused" if isinstance(error, ConnectionRefusedError) else str(error)
    return "answer" if heard == words else "nonsense"


def converse(kind: str, address: str, port: int) -> str:
    said, heard, last, until = 0, 0, 0.0, float("inf")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, KINDS[kind]) as caller:
        try:
            caller.settimeout(10)
            caller.connect((address, port))
            silent = time.monotonic() + 10
            while time.monotonic() < until and (heard < said or until == float("inf")):
                if not heard and time.monotonic() > silent:
                    return "silence"
                ready, _, _ = select.select([caller, *([sys.stdin] if until == float("inf") else [])], [], [], 0.05)
                if caller in ready:
                    if not heard:
                        print("heard", flush=True)
                    heard += len(caller.recv(65_536)) // len(WORD) or 1
                if sys.stdin in ready and not sys.stdin.read(1):
                    until = time.monotonic() + 10
                elif time.monotonic() >= last + 0.05 and until == float("inf"):
                    caller.sendall(WORD)
                    said, last = said + 1, time.monotonic()
        except OSError as error:
            return f"broken: {error}"
    return f"{said} said, {said - heard} lost"


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    if sys.argv[1] == "converse":
        print(converse(sys.argv[2], sys.argv[3], int(sys.argv[4])))
        sys.exit()
    print(ask(sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])))
