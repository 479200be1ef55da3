"""What goes to a MySQL or MariaDB that can encrypt is encrypted, as the driver does it by itself, and what an operator says of it holds."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from oslo_db.exception import DBConnectionError

from tests.servers import MariaDB, Server
from zun.db import engine

x509 = pytest.importorskip("cryptography.x509", reason="makes certificates")


def certificate(folder: Path, name: str) -> Path:
    """One of 127.0.0.1, signed by itself, in a file with its key."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder().subject_name(called).issuer_name(called).public_key(key.public_key())
    made = (
        made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    path = folder / name
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, *form))
    return path


@pytest.fixture
def encrypting(mariadb: MariaDB) -> Iterator[Server]:
    """A server that offers TLS, with a certificate that nobody knows."""
    mariadb.stop()
    path = certificate(mariadb.folder, "server")
    shutil.chown(path, mariadb.folder.owner())
    mariadb.options = [f"--ssl-cert={path}", f"--ssl-key={path}"]
    mariadb.start()
    yield mariadb
    mariadb.stop()
    mariadb.options = []
    mariadb.start()


def ciphers(url: str, count: int = 1) -> list[str]:
    """By which each of so many connections is encrypted; empty where it is not."""
    made = engine.make(engine.parse(url))
    try:
        opened = [made.connect() for _ in range(count)]
        found = [each.exec_driver_sql("SHOW SESSION STATUS LIKE 'Ssl_cipher'").one()[1] for each in opened]
        for each in opened:
            each.close()
        return found
    finally:
        made.dispose()


def test_what_a_server_can_encrypt_is_encrypted(encrypting: Server) -> None:
    first, second = ciphers(encrypting.url(), 2)
    assert first
    assert second


def test_a_server_that_does_not_encrypt_is_asked_all_the_same(mariadb: MariaDB) -> None:
    assert ciphers(mariadb.url()) == [""]


def test_connections_share_what_encrypts_them_and_load_no_authorities(mariadb: MariaDB) -> None:
    made = engine.make(engine.parse(mariadb.url()))
    try:
        with made.connect() as first, made.connect() as second:
            contexts = [each.connection.dbapi_connection.ctx for each in (first, second)]  # type: ignore[union-attr]
    finally:
        made.dispose()
    assert contexts[0] is contexts[1]
    assert contexts[0].verify_mode is ssl.CERT_NONE
    assert contexts[0].cert_store_stats()["x509"] == 0


def test_what_the_url_says_holds(encrypting: Server, tmp_path: Path) -> None:
    assert ciphers(f"{encrypting.url()}?ssl_disabled=true") == [""]
    known = encrypting.folder / "server"
    assert ciphers(f"{encrypting.url()}?ssl_ca={known}&ssl_check_hostname=true")[0]
    stranger = certificate(tmp_path, "stranger")
    with pytest.raises(DBConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        ciphers(f"{encrypting.url()}?ssl_ca={stranger}")
