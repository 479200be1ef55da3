"""Whether a release can take over: what is well, what should be looked at, and what would not work."""

from __future__ import annotations

import sqlite3

import pytest
from cryptography.fernet import Fernet

from tests.world import ME
from zun.cmd import status
from zun.conductor.registries import Registries
from zun.conductor.vault import Vault
from zun.db import migrate
from zun.db.store import SqlStore
from zun.wiring.parts import utcnow

KEY, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def url(tmp_path):
    made = f"sqlite:///{tmp_path}/zun.sqlite"
    migrate.upgrade(made)
    return made


@pytest.fixture
def check(tmp_path, url, capsys):
    """Runs the command with such settings: its exit code, and what it prints on one line."""

    def run(settings="", keys=KEY, policy=None):
        if policy is not None:
            (tmp_path / "policy.yaml").write_text(policy)
        file = tmp_path / "zun.conf"
        file.write_text(f"[database]\nconnection = {url}\n[secrets]\nencryption_keys = {keys}\n{settings}")
        code = status.main(["--config-file", str(file), "--config-dir", str(tmp_path), "upgrade", "check"])
        return code, " ".join(capsys.readouterr().out.replace("|", " ").split())

    return run


def test_all_is_well(check):
    code, told = check(policy='"container:create": "role:admin"\n')
    assert (code, told.count("Result: Success")) == (0, 3)


def test_an_older_database_is_to_be_upgraded(check, url):
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0009'")
    code, told = check()
    assert code == 1
    assert "run'zun-managedbupgrade'" in told.replace(" ", "")


def test_a_newer_database_is_not_for_this_release(check, url):
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    code, told = check()
    assert code == 2
    assert "a newer release has used it" in told


def test_a_rule_that_nobody_asks_for_should_be_looked_at(check):
    code, told = check(policy='"container:create": "role:admin"\n"container:made_up": "role:admin"\n')
    assert code == 1
    assert "container:made_up" in told and "container:create" not in told


@pytest.mark.parametrize("text", ['"container:create": [unclosed', "just words"], ids=["broken", "no rules"])
def test_a_policy_that_cannot_be_read_would_not_work(check, text):
    assert check(policy=text)[0] == 2


def test_a_password_that_no_key_opens_would_not_work(check, url):
    store = SqlStore(url, clock=utcnow)
    made = Registries(store, Vault(lambda: [OTHER])).create(ME, {"domain": "r.example", "username": "robot", "password": "sesame"})
    store.close()
    code, told = check()
    assert code == 2
    assert made.uuid in told.replace(" ", "") and "sesame" not in told
    assert check(keys=f"{KEY},{OTHER}")[0] == 0
