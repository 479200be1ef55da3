"""A process of the service ends when it is told to, whoever keeps it waiting."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE = 60

#: a process of the service: how its stopping goes is its argument
PROCESS = """
import sys, threading
from zun.cmd.service import run

class Process:
    farewell = 0.2

    def __init__(self, conf):
        print("made", flush=True)

    def start(self):
        print("begun", flush=True)

    def stop(self):
        print("stopping", flush=True)
        if sys.argv[1] == "waits":
            threading.Event().wait()
        if sys.argv[1] == "fails":
            raise RuntimeError("it cannot stop")

sys.exit(run("zun-test", ["--config-file", sys.argv[2]], Process))
"""


@pytest.mark.parametrize("how", ["goes well", "waits", "fails"])
def test_it_ends_however_its_stopping_goes(tmp_path: Path, how: str) -> None:
    config = tmp_path / "zun.conf"
    config.write_text(f"[DEFAULT]\nstate_path = {tmp_path / 'state'}\n")
    command = [sys.executable, "-c", PROCESS, how, str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline().strip() for _ in range(2)] == ["made", "begun"]
        process.send_signal(signal.SIGTERM)
        told, log = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert told.endswith("stopping\n")
    assert "zun-test stops" in told + log


def test_who_cannot_begin_says_why_to_who_has_started_it_wherever_it_logs(tmp_path: Path) -> None:
    log, config = tmp_path / "zun.log", tmp_path / "zun.conf"
    config.write_text(f"[DEFAULT]\nlog_file = {log}\nstate_path = {tmp_path / 'state'}\n[api]\nhost_ip = CONTROLLER_ADDRESS\n")
    done = subprocess.run(
        [sys.executable, "-m", "zun.cmd.api", "--config-file", str(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    for told in (done.stderr, log.read_text()):
        assert "zun-api cannot begin: " in told
        assert "CONTROLLER_ADDRESS is not a valid host address" in told
