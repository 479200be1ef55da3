"""``zun-manage`` on each database, as an operator calls it."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.db.test_store import on
from tests.servers import Server
from tests.stores import now
from zun.cmd.manage import main
from zun.conductor import once
from zun.conductor.purge import BATCH
from zun.db import migrate
from zun.db.store import SqlStore
from zun.domain.action import Action, ActionState, Caller
from zun.domain.container import Container
from zun.domain.host import COMPUTE, DrainState, Host, Service
from zun.domain.idempotency import LASTS, IdempotencyKey, Once
from zun.domain.lifecycle import Status
from zun.domain.sandbox import Sandbox

SANDBOX = Sandbox(uuid="s", project_id="p", user_id="u")


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def configured(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The arguments that lead to an empty database."""
    if request.param == "sqlite":
        assert main(["--state-dir", str(tmp_path), "db", "upgrade"]) == 0
        return ["--state-dir", str(tmp_path)]
    server: Server = request.getfixturevalue(request.param)
    with on(server):
        pass
    (tmp_path / "zun.conf").write_text(f"[database]\nconnection = {server.url()}\n")
    return ["--config-file", str(tmp_path / "zun.conf")]


def store_of(configured: list[str], folder: Path, time: datetime) -> SqlStore:
    url = f"sqlite:///{folder / 'zun.sqlite'}"
    if configured[0] == "--config-file":
        url = (folder / "zun.conf").read_text().partition("connection = ")[2].strip()
    return SqlStore(url, lambda: time)


def container(name: str, **given: object) -> Container:
    return Container(uuid=name, sandbox_uuid="s", project_id="p", user_id="u", name=name, image="busybox", **given)  # type: ignore[arg-type]


def action(name: str, state: ActionState, ended: datetime | None) -> Action:
    given = {"sandbox_uuid": "s", "request_id": "req", "project_id": "p", "user_id": "u"}
    return Action(uuid=str(uuid.uuid4()), action=name, state=state, finish_time=ended, **given)  # type: ignore[arg-type]


def test_purge_removes_what_ended_long_ago_and_nothing_that_is_under_way(
    configured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long_ago = now() - timedelta(days=31)
    store = store_of(configured, tmp_path, now() - LASTS)
    with store.write() as tx:
        for _ in range(BATCH + 1):
            tx.add(action("old", ActionState.DONE, long_ago))
        tx.add(action("fresh", ActionState.DONE, now() - timedelta(days=29)))
        tx.add(action("undoing", ActionState.UNDOING, long_ago))
        tx.add(action("queued", ActionState.QUEUED, None))
        once.remember(tx, Caller(user_id="u", project_id="p", request_id="r"), Once(token="t", fingerprint="f"), SANDBOX)
    assert main([*configured, "db", "purge", "--older-than", "30", "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith("201 actions would be removed\n1 idempotency keys would be removed\n")
    assert main([*configured, "db", "purge", "--older-than", "30", "--verbose"]) == 0
    said = capsys.readouterr().out.splitlines()[-5:]
    assert [line.partition(" ")[2] for line in said[:3]] == [
        "200 actions removed so far",
        "201 actions removed so far",
        "1 idempotency keys removed so far",
    ]
    assert said[3:] == ["201 actions removed", "1 idempotency keys removed"]
    with store.read() as tx:
        assert [row.action for row in tx.find(Action)] == ["fresh", "undoing", "queued"]
        assert tx.count(IdempotencyKey) == 0
    store.close()


def test_purge_up_to_a_day_or_a_time_of_any_zone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = ["--state-dir", str(tmp_path)]
    main([*state, "db", "upgrade"])
    store = store_of(state, tmp_path, now())
    with store.write() as tx:
        for ended in (datetime(2024, 5, 1, 11, 59), datetime(2024, 5, 1, 12), datetime(2024, 5, 2)):
            tx.add(action(ended.isoformat(), ActionState.DONE, ended))
    for before, left in (("2024-05-01", 3), ("2024-05-01T14:00+02:00", 2), ("2024-05-02", 1)):
        assert main([*state, "db", "purge", "--before", before]) == 0
        with store.read() as tx:
            assert tx.count(Action) == left
    store.close()
    capsys.readouterr()
    assert main([*state, "db", "purge", "--before", "2999-01-01"]) == 1
    assert "still to come" in capsys.readouterr().err


@pytest.mark.parametrize("when", [[], ["--before", "yesterday"], ["--older-than", "-1"], ["--before", "2024-05-01", "--older-than", "1"]])
def test_purge_without_a_clear_end_is_refused(tmp_path: Path, when: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--state-dir", str(tmp_path), "db", "purge", *when])


def test_the_revision_is_told_and_an_old_database_is_not_purged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    migrate.upgrade(f"sqlite:///{tmp_path / 'zun.sqlite'}", "0001")
    state = ["--state-dir", str(tmp_path)]
    assert main([*state, "db", "version"]) == 0
    assert capsys.readouterr().out == f"0001 (newest: {migrate.head()})\n"
    assert main([*state, "db", "purge", "--older-than", "1"]) == 1
    assert "0001" in capsys.readouterr().err
    assert main([*state, "db", "upgrade"]) == 0
    assert capsys.readouterr().out == f"{migrate.head()} (newest: {migrate.head()})\n"
    assert main([*state, "db", "purge", "--older-than", "0"]) == 0


def test_services_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = ["--state-dir", str(tmp_path)]
    main([*state, "db", "upgrade"])
    store = store_of(state, tmp_path, now())
    with store.write() as tx:
        tx.add(Service(uuid="1", host="node-1", binary=COMPUTE, disabled=True))
    store.close()
    assert main([*state, "service", "list"]) == 0
    assert "node-1 zun-compute disabled last seen never" in capsys.readouterr().out


def test_a_service_that_is_not_expected_back_is_forgotten_by_the_rule_of_the_api(
    configured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = store_of(configured, tmp_path, now())
    words = [*configured, "service", "delete", "--host", "node-1"]
    assert main(words) == 1
    assert capsys.readouterr().err == "zun-manage: There is no service zun-compute on host node-1.\n"
    with store.write() as tx:
        tx.add(Service(uuid="1", host="node-1", binary=COMPUTE, last_seen_up=now(), drain_state=DrainState.DRAINING, drain_id="d"))
        tx.add(Service(uuid="2", host="node-1", binary="zun-conductor"))
        tx.add(Host(uuid="3", hostname="node-1"))
        tx.add(replace(SANDBOX, host="node-1"))
        tx.add(container("c", status=Status.RUNNING))
    assert main([*configured, "service", "list"]) == 0
    assert "node-1 zun-compute enabled draining (1 left) last seen" in capsys.readouterr().out
    assert main(words) == 1
    assert capsys.readouterr().err.startswith("zun-manage: Host node-1 has 1 container(s).")
    with store.write() as tx:
        tx.drop(tx.find(Container)[0])
        tx.drop(tx.find(Sandbox)[0])
    assert main([*configured, "service", "list"]) == 0
    assert "node-1 zun-compute enabled drained last seen" in capsys.readouterr().out
    assert main(words) == 0
    assert capsys.readouterr().out.endswith("zun-compute on node-1 removed\n")
    assert main([*words, "--binary", "zun-conductor"]) == 0
    with store.read() as tx:
        assert (tx.find(Service), tx.find(Host)) == ([], [])
    store.close()


def test_keys_are_rotated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = ["--state-dir", str(tmp_path)]
    main([*state, "db", "upgrade"])
    assert main([*state, "secrets", "rotate"]) == 0
    assert capsys.readouterr().out.endswith("0 passwords sealed with a new key\n")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["db"],
        ["service", "delete"],
        ["db", "purge"],
        ["db", "purge", "--older-than", "-1"],
        ["db", "purge", "--older-than", "x"],
        ["fly"],
    ],
)
def test_what_is_no_command_is_refused_before_anything_is_opened(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--state-dir", str(tmp_path), *words])
    assert ended.value.code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_does_not_answer_is_an_error_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "zun.conf").write_text("[database]\nconnection = postgresql+psycopg://zun:secret@127.0.0.1:1/zun\n")
    assert main(["--config-file", str(tmp_path / "zun.conf"), "db", "version"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("zun-manage: ") and "secret" not in told


def test_without_a_word_it_is_about_the_service_that_the_machine_is_configured_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one of the usual places, of which /etc/zun is another."""
    database = tmp_path / "kept.sqlite"
    (tmp_path / ".zun").mkdir()
    (tmp_path / ".zun/zun.conf").write_text(f"[database]\nconnection = sqlite:///{database}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["db", "upgrade"]) == 0
    assert database.exists()
