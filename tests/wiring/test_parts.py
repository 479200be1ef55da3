"""What wiring makes of a configuration, where that is more than handing it on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world import ME
from zun import conf as zun_conf
from zun.conductor.registries import Registries, access
from zun.conductor.vault import KeyFile
from zun.conf import secrets
from zun.db.migrate import upgrade
from zun.wiring import control, drivers, parts


def configured(folder: Path, text: str = ""):
    file = folder / "zun.conf"
    file.write_text(text)
    conf = zun_conf.new()
    conf(["--config-file", str(file)], project="zun", default_config_files=[])
    conf.set_override("state_path", str(folder))
    return conf


def test_keys_are_replaced_by_one_call(tmp_path):
    conf = configured(tmp_path)
    secrets.ensure_key(conf)
    upgrade(conf.database.connection)
    store = control.database(conf, parts.utcnow)
    made = Registries(store, secrets.vault(conf)).create(ME, {"domain": "r.example", "username": "robot", "password": "sesame"})
    before = KeyFile(tmp_path / "secret-keys")()
    assert control.rotate_keys(conf) == 1
    after = KeyFile(tmp_path / "secret-keys")()
    assert len(after) == 1 and after != before
    with store.read() as tx:
        row = tx.get(type(made), made.uuid)
    assert row.password != made.password
    assert access(row, secrets.vault(conf)).credentials.password == "sesame"
    store.close()


def test_a_key_that_is_none_is_refused_at_the_start(tmp_path):
    with pytest.raises(ValueError, match="encryption_keys"):
        secrets.vault(configured(tmp_path, "[secrets]\nencryption_keys = sesame\n"))


def test_the_default_registry_and_its_account(tmp_path):
    assert drivers.default_registry(configured(tmp_path)) is None
    text = "[docker]\ndefault_registry = r.example\ndefault_registry_username = robot\ndefault_registry_password = sesame\n"
    found = drivers.default_registry(configured(tmp_path, text))
    assert (found.domain, found.credentials.username) == ("r.example", "robot")
    assert "sesame" not in repr(found)
    with pytest.raises(ValueError, match="team"):
        drivers.default_registry(configured(tmp_path, "[docker]\ndefault_registry = team\n"))
