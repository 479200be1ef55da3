"""``zun-aio`` begins only where it can serve; else it says why and leaves everything as it was."""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


class Aio:
    """The command on a state folder of its own. There is no engine: where it begins, it waits for one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        self.state.mkdir(mode=0o700)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.settings = f"[docker]\nsocket_path = {folder}/none.sock\n"

    def refused(self) -> str:
        """Its last words, one line. It must end by itself, with exit code 1."""
        config = self.folder / "zun.conf"
        config.write_text(f"{self.settings}\n[api]\nport = {self.port}\n[websocket_proxy]\nwsproxy_port = 0\n")
        command = [sys.executable, "-m", "zun.cmd.aio", "--state-dir", str(self.state), "--config-file", str(config)]
        environment = os.environ | {"OS_CLIENT_CONFIG_FILE": str(self.folder / "clouds.yaml"), "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, env=environment, check=False
        )
        assert done.returncode == 1, done.stdout
        last = done.stdout.splitlines()[-1]
        assert f"zun-aio cannot begin in {self.state}: " in last
        return last


@pytest.fixture
def aio(tmp_path: Path) -> Aio:
    return Aio(tmp_path)


def test_one_process_serves_a_state_folder(aio: Aio) -> None:
    with (aio.state / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711\n")
        held.flush()
        said = aio.refused()
    assert f"another process (4711) serves the state folder {aio.state}" in said
    assert [path.name for path in aio.state.iterdir()] == ["lock"]


def test_a_port_in_use_is_named_and_nothing_else_is_touched(aio: Aio) -> None:
    with socket.create_server(("127.0.0.1", aio.port)):
        said = aio.refused()
    assert f"cannot listen on 127.0.0.1, port {aio.port}" in said
    assert [path.name for path in aio.state.iterdir()] == ["lock"]
    assert not (aio.folder / "clouds.yaml").exists()


def test_a_damaged_database_stays_as_it_is(aio: Aio) -> None:
    database = aio.state / "zun.sqlite"
    database.write_bytes(b"nothing that SQLite has written " * 100)
    assert "no SQLite database" in aio.refused()
    assert database.read_bytes() == b"nothing that SQLite has written " * 100


def test_a_database_that_cannot_be_opened_is_named(aio: Aio) -> None:
    (aio.state / "zun.sqlite").mkdir()
    assert f"{aio.state}: The database does not answer: its file cannot be opened" in aio.refused()


def test_a_database_of_a_newer_release_is_not_touched(aio: Aio) -> None:
    database = sqlite3.connect(aio.state / "zun.sqlite")
    with database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
    said = aio.refused()
    assert "at revision 9999" in said
    assert "newer release" in said
    assert database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("alembic_version",)]
    database.close()


def test_a_damaged_deployment_is_not_replaced(aio: Aio) -> None:
    aio.state.joinpath("deployment").write_text("\n")
    assert f"{aio.state / 'deployment'} holds '' in place of" in aio.refused()


def test_a_setting_that_cannot_be_is_named(aio: Aio) -> None:
    aio.settings += "default_timeout = soon\n"
    assert "default_timeout" in aio.refused()
