"""The account of the configuration, and what operators do about it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.inventory.placements import FakePlacement
from tests.served import Served
from tests.stores import fresh, now
from zun import conf as options
from zun.cmd.manage import main
from zun.conformance.store_fixtures import container, host, sandbox, service, written
from zun.db.store import SqlStore
from zun.wiring.inventory import Account


@pytest.fixture
def placement() -> Iterator[FakePlacement]:
    fake = FakePlacement()
    yield fake
    fake.stop()


def configured(folder: Path, url: str, more: str) -> Path:
    file = folder / "zun.conf"
    file.write_text(f"[DEFAULT]\nstate_path = {folder}\n[database]\nconnection = {url}\n[inventory]\ndriver = placement\n{more}\n")
    return file


def account(file: Path, store: SqlStore) -> Account:
    conf = options.new()
    conf(["--config-file", str(file)], project="zun")
    return Account(conf, store, now)


def test_operators_see_what_is_amiss_and_put_it_right(tmp_path: Path, placement: FakePlacement, capsys: pytest.CaptureFixture[str]) -> None:
    url = fresh(tmp_path / "zun.sqlite")
    file = configured(tmp_path, url, f"[placement]\nauth_type = none\nendpoint_override = {placement.url}")
    store = SqlStore(url, now)
    written(store, host("one", cpus=4, mem_total=2048))
    written(store, service("one"))
    home = written(store, sandbox(host="one", cpu=1.0, memory=100))[0]
    lives = written(store, container(home, uuid=str(uuid.uuid4())))[0]
    store.close()

    assert main(["--config-file", str(file), "placement", "audit"]) == 3
    assert capsys.readouterr().out == f"{lives.uuid} missing on one\n1 allocations are not what they should be\n"
    assert main(["--config-file", str(file), "placement", "heal"]) == 0
    assert capsys.readouterr().out == f"{lives.uuid} missing on one: put right\n1 allocations put right\n"
    assert placement.taken(lives.uuid) == {"one": {"VCPU": 1, "MEMORY_MB": 100}}
    assert main(["--config-file", str(file), "placement", "audit"]) == 0


def test_the_service_allocates_and_gives_back(tmp_path: Path, placement: FakePlacement) -> None:
    settings = f"[inventory]\ndriver = placement\n[placement]\nauth_type = none\nendpoint_override = {placement.url}\n"
    served = Served(tmp_path, settings=settings)
    served.start()
    try:
        lives = served.container(memory=64)
        assert [set(taken) for taken in placement.taken(lives).values()] == [{"VCPU", "MEMORY_MB"}]
        assert served.ask("PATCH", f"/containers/{lives}", json={"memory": 128}).status_code == 200
        served.until(lambda: [taken["MEMORY_MB"] for taken in placement.taken(lives).values()] == [128])
        assert served.ask("DELETE", f"/containers/{lives}?force=True", user="admin").status_code == 204
        served.until(lambda: placement.consumers == {})
    finally:
        served.stop()


def test_without_placement_there_is_nothing_to_put_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--state-dir", str(tmp_path), "db", "upgrade"]) == 0
    assert main(["--state-dir", str(tmp_path), "placement", "heal"]) == 1
    assert "[inventory] driver is not placement" in capsys.readouterr().err


@pytest.mark.parametrize("section", ["", "[placement]\nauth_type = nobody\n"])
def test_a_section_that_does_not_say_how_placement_is_reached_is_refused(tmp_path: Path, section: str) -> None:
    url = fresh(tmp_path / "zun.sqlite")
    store = SqlStore(url, now)
    with pytest.raises(ValueError, match=r"\[placement\]"):
        account(configured(tmp_path, url, section), store)
    store.close()
