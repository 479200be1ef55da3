"""Secrets are sealed for a purpose, with keys that can be replaced one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.world import ME, World
from zun import errors
from zun.conductor.registries import Registries
from zun.conductor.vault import KeyFile, Vault, checked

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


def test_what_is_sealed_is_opened_again_and_shows_nothing_of_itself() -> None:
    vault = Vault(lambda: [NEW])
    sealed = vault.seal("open-sesame", "registry.example")
    assert "sesame" not in sealed
    assert vault.open(sealed, "registry.example", "r") == "open-sesame"
    assert vault.seal("open-sesame", "registry.example") != sealed


def test_it_opens_for_no_other_purpose_and_with_no_other_key() -> None:
    sealed = Vault(lambda: [OLD]).seal("open-sesame", "registry.example")
    for vault, purpose in ((Vault(lambda: [OLD]), "evil.example"), (Vault(lambda: [NEW]), "registry.example")):
        with pytest.raises(errors.SecretUnreadable) as caught:
            vault.open(sealed, purpose, "r1")
        assert "r1" in str(caught.value) and "sesame" not in str(caught.value)
    with pytest.raises(errors.SecretUnreadable):
        Vault(lambda: [OLD]).open(sealed[:-4] + "AAA=", "registry.example", "r1")


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(errors.NotOffered):
        Vault(lambda: []).seal("open-sesame", "registry.example")


def test_every_key_opens_and_the_first_one_seals() -> None:
    sealed = Vault(lambda: [OLD]).seal("open-sesame", "p")
    both = Vault(lambda: [NEW, OLD])
    assert both.open(sealed, "p", "r") == "open-sesame"
    renewed = both.renew(sealed, "r")
    assert Vault(lambda: [NEW]).open(renewed, "p", "r") == "open-sesame"
    with pytest.raises(errors.SecretUnreadable):
        Vault(lambda: [OLD]).open(renewed, "p", "r")


def test_a_file_of_keys_is_its_owners_alone(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys")
    assert file() == []
    file.ensure()
    (first,) = file()
    file.ensure()
    assert file() == [first]
    file.add()
    assert file()[1:] == [first]
    file.keep_newest()
    assert len(file()) == 1 and file() != [first]
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["keys"]


def test_what_is_no_key_is_said_without_saying_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="number 2 in the file") as caught:
        checked([OLD, "sesame"], "the file")
    assert "sesame" not in str(caught.value)


def test_all_that_is_stored_is_sealed_anew_but_for_what_no_key_opens(world: World) -> None:
    old, both, new = (Vault(lambda keys=keys: keys) for keys in ([OLD], [NEW, OLD], [NEW]))  # type: ignore[misc]
    rows = [Registries(world.store, old).create(ME, {"domain": f"r{n}.example", "username": "u", "password": "p"}) for n in range(3)]
    Registries(world.store, old).create(ME, {"domain": "bare.example"})
    assert Registries(world.store, both).reseal() == 3
    assert Registries(world.store, new).reseal() == 3
    with pytest.raises(errors.SecretUnreadable):
        Registries(world.store, old).reseal()
    assert rows[0].password is not None and rows[0].password not in repr(rows[0])
