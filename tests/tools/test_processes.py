import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools import processes

STUBBORN = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
POLITE = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def begin(tmp_path: Path):
    begun = []

    def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE)
        begun.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait()


def test_a_process_is_found_by_the_folder_in_its_command_line(begin, tmp_path: Path):
    mine = begin(POLITE, f"--state-dir={tmp_path}/a/b")
    socket = begin(POLITE, "--host", f"unix://{tmp_path}/a/socket")
    others = begin(POLITE, f"--state-dir={tmp_path}/another")
    found = processes.naming(tmp_path / "a")
    assert {mine.pid, socket.pid} <= set(found)
    assert others.pid not in found


def test_our_own_process_is_not_among_them():
    assert os.getpid() not in processes.naming(Path("/"))


def test_one_that_ends_when_asked_is_only_asked(begin):
    process = begin(POLITE)
    assert processes.end(process.pid, 10)
    assert process.wait() in (-signal.SIGTERM, 0)
    assert not processes.alive(process.pid)


def test_one_that_does_not_is_made_to(begin):
    process = begin(STUBBORN)
    assert not processes.end(process.pid, 0.1)
    assert not processes.alive(process.pid)


def test_one_that_is_gone_already_is_well_ended(begin):
    process = begin(POLITE)
    process.kill()
    process.wait()
    assert processes.end(process.pid, 1)


def test_descendants_come_the_nearest_first(begin):
    program = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {POLITE!r}]); print(p.pid, flush=True); p.wait()"
    parent = begin(program)
    [child] = processes.descendants(parent.pid)
    assert [child] == [pid for pid in processes.descendants(os.getpid()) if pid == child]
    assert processes.descendants(os.getpid()).index(parent.pid) < processes.descendants(os.getpid()).index(child)
    processes.kill([child])


def test_a_started_program_writes_its_log_and_its_number_and_outlives_nobody(tmp_path: Path):
    process = processes.start([sys.executable, "-c", "print('hello')"], tmp_path / "log", tmp_path / "run" / "pid")
    process.wait()
    assert (tmp_path / "log").read_text() == "hello\n"
    assert (tmp_path / "run" / "pid").read_text() == f"{process.pid}\n"


def test_one_whose_first_thread_alone_has_ended_lives(begin):
    """So a process looks that is being killed: what it listens on is open until its last thread is gone."""
    process = begin(
        "import ctypes, threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('up', flush=True), time.sleep(60))).start()\n"
        "ctypes.CDLL(None).pthread_exit(None)"
    )
    assert "Z" in Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2]
    assert processes.alive(process.pid)
    processes.kill([process.pid])
    assert not processes.alive(process.pid)
