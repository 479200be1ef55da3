import os
import stat
from pathlib import Path

import bcrypt
import pytest
import yaml

from zun.cmd import credentials

ENDPOINT = "http://127.0.0.1:9517/v1"

SOMEBODYS = """\
# my clouds, do not touch
clouds:
    work:   # the big one
        region_name: 'here'
        auth: {auth_url: "https://cloud.example/v3", username: me}

    home:
        auth_type: none

cache:
  expiration_time: 3600  # seconds
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def clouds(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".config" / "openstack" / "clouds.yaml"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def entries(path: Path) -> dict[str, object]:
    return dict(yaml.safe_load(path.read_text())["clouds"])


def test_a_first_start_makes_a_password_that_the_middleware_accepts(state: Path, clouds: Path) -> None:
    made = credentials.ensure(state, ENDPOINT, clouds)

    entry = entries(clouds)["zun"]
    assert entry["auth_type"] == "http_basic"
    assert entry["auth"]["endpoint"] == ENDPOINT
    user, _, digest = made.htpasswd.read_text().strip().partition(":")
    assert user == entry["auth"]["username"] == "admin"
    assert bcrypt.checkpw(entry["auth"]["password"].encode(), digest.encode())
    assert digest[:4] in ("$2y$", "$2a$", "$2b$"), "oslo.middleware takes no other digest"
    assert len(entry["auth"]["password"]) >= 43
    assert (made.cloud, made.note) == ("zun", None)


def test_secrets_are_for_their_owner_only(state: Path, clouds: Path) -> None:
    old_mask = os.umask(0)
    try:
        credentials.ensure(state, ENDPOINT, clouds)
    finally:
        os.umask(old_mask)
    assert [mode(path) for path in (clouds, state / "htpasswd", state / "password")] == [0o600] * 3


def test_repeating_it_changes_no_byte(state: Path, clouds: Path) -> None:
    write(clouds, SOMEBODYS)
    credentials.ensure(state, ENDPOINT, clouds)
    before = {path: (path.read_bytes(), path.stat().st_ino) for path in (clouds, *state.iterdir())}
    credentials.ensure(state, ENDPOINT, clouds)
    assert before == {path: (path.read_bytes(), path.stat().st_ino) for path in (clouds, *state.iterdir())}


def test_what_others_wrote_stays_and_remove_restores_the_file(state: Path, clouds: Path) -> None:
    write(clouds, SOMEBODYS)
    credentials.ensure(state, ENDPOINT, clouds)

    assert list(entries(clouds)) == ["zun", "work", "home"]
    left = [line for line in clouds.read_text().splitlines() if line in SOMEBODYS.splitlines()]
    assert left == SOMEBODYS.splitlines()

    assert credentials.remove(state) == []
    assert clouds.read_text() == SOMEBODYS


@pytest.mark.parametrize(
    "theirs",
    [
        "",
        "# nothing yet\n",
        "clouds:\n",
        "clouds:  # none yet\ncache: {}\n",
        "cache:\n  expiration_time: 1\n",
        "cache:\n  expiration_time: 1",
        "clouds:\n  a:\n    auth_type: none",
        "clouds:\n  # about a\n  a: {auth_type: none}\n",
        "---\nclouds:\n  a: &anchor\n    auth_type: none\n  b: *anchor\n",
    ],
)
def test_every_common_form_of_the_file_gets_the_entry_and_loses_nothing(theirs: str, state: Path, clouds: Path) -> None:
    write(clouds, theirs)
    before = yaml.safe_load(theirs) or {}

    made = credentials.ensure(state, ENDPOINT, clouds)

    assert made.note is None
    after = yaml.safe_load(clouds.read_text())
    assert after["clouds"].pop("zun")["auth"]["endpoint"] == ENDPOINT
    assert after["clouds"] == (before.get("clouds") or {})
    assert {**after, "clouds": None} == {**before, "clouds": None}
    credentials.remove(state)
    if clouds.exists():
        assert (yaml.safe_load(clouds.read_text()).get("clouds") or {}) == (before.get("clouds") or {})


@pytest.mark.parametrize(
    "theirs",
    [
        "clouds: [unclosed",
        "- a\n- list\n",
        "clouds: {a: {auth_type: none}}\n",
        "{clouds: }\n",
        "clouds: text\n",
        "clouds:\n\t- tab\n",
        "text",
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_not_touched(theirs: str, state: Path, clouds: Path) -> None:
    write(clouds, theirs)
    made = credentials.ensure(state, ENDPOINT, clouds)
    assert clouds.read_text() == theirs
    assert made.cloud is None
    assert made.note is not None
    assert str(clouds) in made.note
    assert made.htpasswd.exists(), "the service starts all the same"


def test_the_folders_made_for_the_file_go_with_it_and_others_stay(tmp_path: Path, state: Path, clouds: Path) -> None:
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    credentials.ensure(state, ENDPOINT, clouds)
    credentials.remove(state)
    assert list(home.iterdir()) == [home / ".config"]
    assert list((home / ".config").iterdir()) == []


def test_a_file_in_another_encoding_is_not_touched(state: Path, clouds: Path) -> None:
    write(clouds, "")
    clouds.write_bytes(b"clouds:\n  caf\xe9: {}\n")
    assert credentials.ensure(state, ENDPOINT, clouds).cloud is None
    assert clouds.read_bytes() == b"clouds:\n  caf\xe9: {}\n"


def test_a_foreign_entry_keeps_its_name(state: Path, clouds: Path) -> None:
    write(clouds, "clouds:\n  zun:\n    auth: {username: somebody}\n")
    made = credentials.ensure(state, ENDPOINT, clouds)
    assert made.cloud == "zun-embedded"
    assert made.note is not None
    assert "zun-embedded" in made.note
    assert entries(clouds)["zun"] == {"auth": {"username": "somebody"}}
    credentials.remove(state)
    assert list(entries(clouds)) == ["zun"]


def test_two_services_keep_out_of_each_others_way(tmp_path: Path, state: Path, clouds: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    credentials.ensure(state, ENDPOINT, clouds)
    credentials.ensure(other, "http://127.0.0.1:9518/v1", clouds)
    assert {name: entry["auth"]["endpoint"] for name, entry in entries(clouds).items()} == {
        "zun": ENDPOINT,
        "zun-embedded": "http://127.0.0.1:9518/v1",
    }
    credentials.remove(state)
    assert list(entries(clouds)) == ["zun-embedded"]
    credentials.remove(other)
    assert not clouds.exists()


def test_a_second_user_gets_the_same_password(tmp_path: Path, state: Path, clouds: Path) -> None:
    second = tmp_path / "second.yaml"
    credentials.ensure(state, ENDPOINT, clouds)
    credentials.ensure(state, ENDPOINT, second)
    assert entries(clouds) == entries(second)
    credentials.remove(state)
    assert not clouds.exists()
    assert not second.exists()


def test_another_port_changes_the_entry_and_keeps_the_password(state: Path, clouds: Path) -> None:
    credentials.ensure(state, ENDPOINT, clouds)
    before = entries(clouds)["zun"]["auth"]
    credentials.ensure(state, "http://127.0.0.1:9999/v1", clouds)
    after = entries(clouds)["zun"]["auth"]
    assert after == {**before, "endpoint": "http://127.0.0.1:9999/v1"}


def test_a_lost_or_strange_htpasswd_line_is_made_anew_and_other_users_stay(state: Path, clouds: Path) -> None:
    credentials.ensure(state, ENDPOINT, clouds)
    (state / "htpasswd").write_text("admin:$2y$04$garbage\nguest:$2y$04$theirs\n")
    credentials.ensure(state, ENDPOINT, clouds)
    lines = (state / "htpasswd").read_text().splitlines()
    assert "guest:$2y$04$theirs" in lines
    [ours] = [line for line in lines if line.startswith("admin:")]
    password = entries(clouds)["zun"]["auth"]["password"]
    assert bcrypt.checkpw(password.encode(), ours.partition(":")[2].encode())


def test_damaged_marks_are_reported_not_guessed(state: Path, clouds: Path) -> None:
    credentials.ensure(state, ENDPOINT, clouds)
    lines = clouds.read_text().splitlines(keepends=True)
    damaged = "".join(line for line in lines if not line.rstrip().endswith(": end"))
    clouds.write_text(damaged)
    [trouble] = credentials.remove(state)
    assert str(clouds) in trouble
    assert clouds.read_text() == damaged


def test_a_symlink_stays_a_symlink(tmp_path: Path, state: Path, clouds: Path) -> None:
    real = tmp_path / "dotfiles" / "clouds.yaml"
    write(real, SOMEBODYS)
    clouds.parent.mkdir(parents=True)
    clouds.symlink_to(real)
    credentials.ensure(state, ENDPOINT, clouds)
    assert clouds.is_symlink()
    assert "zun" in entries(real)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for others")
def test_what_root_adds_to_a_users_home_belongs_to_the_user(tmp_path: Path, state: Path) -> None:
    home = tmp_path / "alice"
    home.mkdir()
    os.chown(home, 12345, 12345)
    clouds = home / ".config" / "openstack" / "clouds.yaml"
    credentials.ensure(state, ENDPOINT, clouds)
    assert {path.stat().st_uid for path in (clouds, clouds.parent, clouds.parent.parent)} == {12345}


def test_the_environment_names_the_file() -> None:
    assert credentials.clouds_path({"OS_CLIENT_CONFIG_FILE": "/x/y.yaml", "HOME": "/h"}) == Path("/x/y.yaml")
    assert credentials.clouds_path({"HOME": "/h"}) == Path("/h/.config/openstack/clouds.yaml")


def test_the_command_ensures_and_removes(
    state: Path, clouds: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    assert credentials.main(["ensure", "--state-dir", str(state)]) == 0
    assert capsys.readouterr().out == "zun\n"
    assert credentials.main(["remove", "--state-dir", str(state)]) == 0
    assert not clouds.exists()


def test_an_unreadable_file_fails_the_command_and_says_why(
    state: Path, clouds: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(clouds, "clouds: [")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    assert credentials.main(["ensure", "--state-dir", str(state)]) == 1
    assert "not valid YAML" in capsys.readouterr().err
