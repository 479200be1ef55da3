"""Load by ``ab``, the Apache HTTP server's own bench: written in C, so that it is the server that the processors work for."""

from __future__ import annotations

import csv
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bench.client import Client, Token
from bench.report import median
from tools import packages

PACKAGE = "apache2-utils"
#: seconds that it waits for an answer
_PATIENCE = 300


@dataclass(slots=True)
class Answers:
    """What came of asking in one or more turns: the median seconds of each turn, good answers, others, and the seconds of all of it."""

    medians: list[float] = field(default_factory=list)
    good: int = 0
    bad: int = 0
    took: float = 0.0

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.good / self.took

    @property
    def median(self) -> float:
        """Seconds of an answer."""
        return median(self.medians)

    def add(self, more: Answers) -> None:
        """Put those of another turn to these."""
        self.medians += more.medians
        self.good += more.good
        self.bad += more.bad
        self.took += more.took


def install() -> bool:
    """See that it is here. Returns whether it was not. Raises Trouble."""
    missing = packages.missing([PACKAGE])
    if missing:
        with packages.no_service_starts():
            packages.plan(missing)
            packages.install(missing)
    return bool(missing)


def ask(access: Token, path: str, clients: int, count: int) -> Answers:
    """So many clients ask ``count`` times in all, each again as soon as it is answered, on a connection of its own each time.

    All answers are waited for. Good is one of status 2xx that is as long as the one that is read here, as JSON, before the turn; what is
    none is counted as bad. Raises RuntimeError where not even the first is as long, or none is good; OSError, Refused, ValueError.
    """
    with Client(access) as client:
        client.call("GET", path)
        length = len(client.fetch("GET", path))
    with tempfile.TemporaryDirectory() as folder:
        shares = Path(folder, "shares.csv")
        command = ["ab", "-q", "-r", "-S", "-s", str(_PATIENCE), "-n", str(count), "-c", str(clients), "-e", str(shares)]
        command += [word for name, value in access.headers().items() for word in ("-H", f"{name}: {value}")]
        done = subprocess.run([*command, f"http://{access.host}:{access.port}{path}"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"ab: {done.stderr.strip() or done.stdout.strip()}")
        return read(done.stdout, shares.read_text(), length)


def read(report: str, shares: str, length: int) -> Answers:
    """What ``ab`` has written: its report, and a table of the milliseconds in which each percent of the requests were answered."""
    if (told := _number(report, "Document Length")) != length:
        raise RuntimeError(f"an answer of {told:.0f} bytes, not of {length}, under load")
    bad = int(_number(report, "Failed requests") + _number(report, "Non-2xx responses", 0))
    middle = {row["Percentage served"]: float(row["Time in ms"]) for row in csv.DictReader(shares.splitlines())}["50"]
    good = int(_number(report, "Complete requests")) - bad
    if good <= 0:
        raise RuntimeError(f"no good answer: {report}")
    return Answers([middle / 1000], good, bad, _number(report, "Time taken for tests"))


def _number(report: str, name: str, absent: float | None = None) -> float:
    found = re.search(rf"^{name}: +([0-9.]+)", report, re.MULTILINE)
    if found is not None:
        return float(found[1])
    if absent is None:
        raise RuntimeError(f"ab told no '{name}': {report}")
    return absent
