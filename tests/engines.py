"""A Docker engine of the tests' own: own state, own socket, own bridge, started by hand and ended by its process id.

Use the fixture ``dockerd`` for one engine shared by a test session, or :class:`Dockerd` for one that a test may take down and up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import processes
from zun import errors
from zun.drivers.runtime.docker_http import DockerHttp

# Its asserts shall explain themselves, though it is no test module.
pytest.register_assert_rewrite("zun.conformance")

_READY_SECONDS = 60.0
#: seconds in which what was killed is gone
_LAST_MOMENTS = 10.0


def absent(what: str) -> None:
    """A backend that a test needs is not there: skip at a desk, fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI is set")
    pytest.skip(what)


class Dockerd:
    """One dockerd. Several live beside each other and beside the machine's own: nothing is shared but the kernel.

    ``options`` are further words of its command line.
    """

    def __init__(self, root: Path, *options: str) -> None:
        self.root, self._options = root, options
        self.socket = str(root / "docker.sock")
        self._bridge = f"zt{os.getpid()}x{abs(hash(str(root))) % 1000}"[:15]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; running already is success."""
        if self._process is not None:
            return
        with _one_at_a_time():
            self._start()

    def _start(self) -> None:
        self._make_bridge()
        for stale in (self.root / "docker.pid", Path(self.socket)):
            stale.unlink(missing_ok=True)
        self._forget_dead_containerd()
        command = ["dockerd", "--data-root", str(self.root / "data"), "--exec-root", str(self.root / "exec")]
        command += ["--host", f"unix://{self.socket}", "--pidfile", str(self.root / "docker.pid"), "--bridge", self._bridge]
        command += self._options
        with self.root.joinpath("log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                tail = self.root.joinpath("log").read_text(errors="replace")[-2000:]
                self.kill()
                raise RuntimeError(f"dockerd did not come up:\n{tail}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it as an operator would, and its containers with it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a warning; its containers live on until :meth:`start`, which ends them: Docker does so unless told otherwise."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Have it hang: its socket takes calls, and none is answered."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def clean(self) -> None:
        """Stop it and remove all that it left on the machine."""
        self.thaw()
        self.stop()
        self._end_remains()
        with contextlib.suppress(OSError):
            mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
            for point in sorted((point for point in mounts if point.startswith(f"{self.root}/")), key=len, reverse=True):
                subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", self._bridge], check=False, capture_output=True)
        shutil.rmtree(self.root, ignore_errors=True)

    def _answers(self) -> bool:
        http = DockerHttp(self.socket, timeout=5)
        try:
            return http.call("GET", "/_ping").ok
        except errors.ZunError:
            return False
        finally:
            http.close()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _end_remains(self) -> None:
        """End what a killed dockerd leaves running: its containerd, the keepers of its containers, and these. All have its directory in
        their command line, which no other process of the machine has; a keeper's children are containers."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                pid, words = int(entry.name), entry.joinpath("cmdline").read_bytes().split(b"\0")
                if b"containerd" not in words[0] or not any(word.startswith(f"{self.root}/".encode()) for word in words):
                    continue
                children = entry.joinpath(f"task/{pid}/children").read_text().split() if b"shim" in words[0] else []
                for each in (*map(int, children), pid):
                    os.kill(each, signal.SIGKILL)

    def _forget_dead_containerd(self) -> None:
        """A killed dockerd takes its containerd along, a moment later; the next one believes in the number that is left, if only a zombie,
        or one that is about to die, has it."""
        with contextlib.suppress(OSError, ValueError):
            pid_file = self.root / "exec/containerd/containerd.pid"
            pid, until = int(pid_file.read_text()), time.monotonic() + _LAST_MOMENTS
            while processes.alive(pid) and time.monotonic() < until:
                time.sleep(0.05)
            if not processes.alive(pid):
                pid_file.unlink()

    def _make_bridge(self) -> None:
        if Path("/sys/class/net", self._bridge).exists():
            return
        subprocess.run(["ip", "link", "add", self._bridge, "type", "bridge"], check=True)
        subprocess.run(["ip", "address", "add", f"{_free_network()}.1/24", "dev", self._bridge], check=True)
        subprocess.run(["ip", "link", "set", self._bridge, "up"], check=True)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Engines that begin at the same moment choose the same network, and fall over each other's chains of iptables."""
    folder = os.open("/run", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _free_network() -> str:
    """The first three numbers of a network of 254 addresses that no interface of this machine has."""
    taken = subprocess.run(["ip", "-4", "-o", "address"], check=True, capture_output=True, text=True).stdout
    return next(network for network in (f"10.213.{number}" for number in range(1, 255)) if f" {network}." not in taken)


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    """A registry of the session's own; its address, which engines take for a safe one because it is the loopback's."""
    if shutil.which("docker-registry") is None:
        absent("docker-registry is not installed")
    root = Path(tempfile.mkdtemp(prefix="zun-registry-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {root}/images}}}}\nhttp: {{addr: '{address}'}}\n"
    root.joinpath("config.yml").write_text(config)
    with root.joinpath("log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(root / "config.yml")], stdout=log, stderr=log)
    try:
        until = time.monotonic() + _READY_SECONDS
        while not _listens(address):
            assert process.poll() is None and time.monotonic() < until, root.joinpath("log").read_text()
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(root, ignore_errors=True)


def _listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def make_dockerd(*options: str) -> Dockerd:
    """One that runs, with these ``options``, or the test is skipped (failed in CI) because there is no Docker or no right to run it."""
    if shutil.which("dockerd") is None:
        absent("dockerd is not installed")
    if os.geteuid() != 0:
        absent("a dockerd of one's own needs root")
    # A socket's path has at most 107 characters, so not under pytest's own long directories.
    engine = Dockerd(Path(tempfile.mkdtemp(prefix="zun-dockerd-")), *options)
    try:
        engine.start()
    except BaseException:
        engine.clean()
        raise
    return engine


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Dockerd]:
    """One engine for the session. Tests share it: each uses a deployment of its own and leaves the engine running."""
    engine = make_dockerd()
    yield engine
    engine.clean()


@pytest.fixture
def own_dockerd() -> Iterator[Dockerd]:
    """An engine that the test may stop, kill and start."""
    engine = make_dockerd()
    yield engine
    engine.clean()
