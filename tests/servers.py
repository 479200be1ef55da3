"""Database servers for tests: started by hand on a port and in a folder of their own, ended by pid.

Missing at a desk, they skip the tests that need them; where CI is set they fail them.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

import pytest

#: with characters that a URL must escape, so that a leak is seen in either form
PASSWORD = "s3cr@t/of:the tests"
USER = "zun"
START_TIMEOUT = 60


def missing(what: str) -> NoReturn:
    """Skip at a desk, fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI must not pass without it")
    pytest.skip(f"{what} is missing")


class Server:
    """A database server in a folder. ``kill`` ends it as a crash would; ``start`` brings it back on the same port."""

    scheme: str
    account: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "log"

    def url(self, database: str = "zun") -> str:
        """What SqlStore takes."""
        return f"{self.scheme}://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Make the data folder, the user and the database ``zun``; leaves the server running."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Runs the server in the foreground."""
        raise NotImplementedError

    def connect(self) -> Any:
        """A driver's connection as the superuser."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, **self.as_account())
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self.connect().close()
            except Exception as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.end(signal.SIGKILL)
                    pytest.fail(f"{self.scheme} did not start: {error}\n{self._log.read_text()[-4000:]}")
                time.sleep(0.05)
            else:
                return

    def end(self, how: signal.Signals) -> None:
        """End the process by its pid and wait for it."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_TIMEOUT)
            self._process = None

    def kill(self) -> None:
        """End it without letting it say goodbye to anybody."""
        self.end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self.end(signal.SIGTERM)

    def run(self, *command: str) -> None:
        """Run a command of the server's to its end."""
        done = subprocess.run(command, capture_output=True, timeout=START_TIMEOUT, check=False, cwd=self.folder, **self.as_account())
        if done.returncode != 0:
            pytest.fail(f"{command[0]} failed:\n{done.stdout.decode()}\n{done.stderr.decode()}")

    def as_account(self) -> dict[str, Any]:
        """Options of subprocess: neither server runs as root, so root lends it the distribution's account."""
        if os.getuid() != 0:
            return {}
        account = pwd.getpwnam(self.account)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def give_folder(self) -> None:
        """Let the server's account have the folder."""
        if os.getuid() == 0:
            shutil.chown(self.folder, self.account, pwd.getpwnam(self.account).pw_gid)


S = TypeVar("S", bound=Server)


class MariaDB(Server):
    """mariadbd (or mysqld) of the distribution."""

    scheme = "mysql+pymysql"
    account = "mysql"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._daemon = _program("mariadbd", "mysqld")
        self._install = _program("mariadb-install-db", "mysql_install_db")
        #: more words of its command, from the next start on
        self.options: list[str] = []

    def prepare(self) -> None:
        """See Server."""
        self.give_folder()
        data = f"--datadir={self.folder}/data"
        self.run(self._install, "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
        self.start()
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            # latin1 by default, as on many a server: what the tables say of themselves must be enough
            cursor.execute("CREATE DATABASE zun CHARACTER SET latin1")
            cursor.execute("CREATE USER %s@'127.0.0.1' IDENTIFIED BY %s", (USER, PASSWORD))
            cursor.execute("GRANT ALL ON *.* TO %s@'127.0.0.1'", (USER,))

    def command(self) -> list[str]:
        """See Server. Commits are not synced: nobody cuts the power of a test."""
        return [
            self._daemon,
            "--no-defaults",
            f"--datadir={self.folder}/data",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=64M",
            "--max-connections=300",
            *self.options,
        ]

    def connect(self) -> Any:
        """See Server."""
        import pymysql

        return pymysql.connect(unix_socket=f"{self.folder}/socket", user="root", autocommit=True)


class PostgreSQL(Server):
    """postgres of the distribution, which refuses to run as root."""

    scheme = "postgresql+psycopg"
    account = "postgres"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._daemon = _program("postgres")
        self._init = _program("initdb")

    def prepare(self) -> None:
        """See Server."""
        self.give_folder()
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        if os.getuid() == 0:
            shutil.chown(secret, self.account)
        options = ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}"]
        self.run(self._init, "-D", f"{self.folder}/data", *options)
        self.start()
        with contextlib.closing(self.connect()) as connection:
            connection.execute("CREATE DATABASE zun")

    def command(self) -> list[str]:
        """See Server."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 300,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self._daemon, "-D", f"{self.folder}/data", *options]

    def connect(self) -> Any:
        """See Server."""
        import psycopg

        return psycopg.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname="postgres", autocommit=True)

    def stop(self) -> None:
        """See Server; SIGTERM would wait for every client to go."""
        self.end(signal.SIGINT)

    def kill(self) -> None:
        """See Server; its own word for "at once", because after SIGKILL its children would live on for a while."""
        self.end(signal.SIGQUIT)


def _program(*names: str) -> str:
    """The first of these programs that the distribution has installed, on the path or off it."""
    for name in names:
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        found = found or next((str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None)
        if found:
            return found
    missing(names[0])


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(kind: type[S], driver: str) -> Iterator[S]:
    try:
        __import__(driver)
    except ImportError:
        missing(driver)
    # pytest's own temporary folders are closed to other accounts
    folder = Path(tempfile.mkdtemp(prefix="zun-test-"))
    try:
        server = kind(folder)
        try:
            server.prepare()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB for the whole session; a test that ends it starts it again."""
    with _running(MariaDB, "pymysql") as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL for the whole session; a test that ends it starts it again."""
    with _running(PostgreSQL, "psycopg") as server:
        yield server
