"""The pause program is what its sources say, and does what a first process must."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.engines import absent
from zun.drivers.runtime import pause as package
from zun.drivers.runtime.pause import image

SOURCES = {"amd64": "x86_64", "arm64": "aarch64"}
HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
SUBREAPER = 36  # prctl(2)


def tool(name: str, machine: str) -> str:
    """A binutils program for a machine."""
    found = shutil.which(f"{machine}-linux-gnu-{name}") or (shutil.which(name) if machine == platform.machine() else None)
    return found or absent(f"no binutils for {machine} are installed") or ""


@pytest.mark.parametrize("architecture", sorted(image.MACHINES))
def test_the_bytes_are_those_of_the_source(architecture: str, tmp_path: Path) -> None:
    machine = SOURCES[architecture]
    source = Path(package.__file__).parent / f"{machine}.s"
    subprocess.run([tool("as", machine), source, "-o", tmp_path / "pause.o"], check=True)
    subprocess.run([tool("objcopy", machine), "-O", "binary", "-j", ".text", tmp_path / "pause.o", tmp_path / "pause.bin"], check=True)
    assert tmp_path.joinpath("pause.bin").read_bytes() == image.MACHINES[architecture].code


@pytest.fixture
def program(tmp_path: Path) -> Path:
    if HERE is None:
        pytest.skip(f"no pause was written for {platform.machine()}")
    path = tmp_path / "pause"
    path.write_bytes(image.binary(HERE))
    path.chmod(0o755)
    return path


def waits(pid: int, program: Path) -> bool:
    """It has become the program, and sleeps: there is but one place where it does."""
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return Path(f"/proc/{pid}/exe").readlink() == program and state == "S"


def wait_for(check) -> None:
    until = time.monotonic() + 20
    while not check():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_waits_and_ends_well_when_asked(program: Path, how: signal.Signals) -> None:
    process = subprocess.Popen([program])
    wait_for(lambda: waits(process.pid, program))
    assert process.poll() is None
    process.send_signal(how)
    assert process.wait(20) == 0


def test_it_reaps_what_is_left_to_it(program: Path) -> None:
    """It becomes the reaper of orphans, as a first process is, and is left two: one ended already, one ending later."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
        if os.fork() == 0:  # ends at once, and leaves a child behind that waits for a word
            if os.fork() == 0:
                os.read(read, 1)
            os._exit(0)
        os.execv(program, [str(program)])
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_for(lambda: waits(pid, program))
    wait_for(lambda: len(children.read_text().split()) == 1)
    os.write(write, b"!")
    wait_for(lambda: children.read_text().split() == [])
    os.kill(pid, signal.SIGTERM)
    assert os.waitpid(pid, 0)[1] == 0


def test_the_image_is_the_same_whenever_it_is_made_and_small() -> None:
    for architecture in image.MACHINES:
        assert image.archive(architecture) == image.archive(architecture)
        assert len(image.archive(architecture)) < 100_000
