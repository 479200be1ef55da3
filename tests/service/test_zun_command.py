"""The older command line, ``zun``, unmodified: every command that it has, with Keystone. What is typed and told is in zun_commands.yaml."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from tests.registries import Index
from tests.service.aio import eventually
from tests.service.official import as_it_was, tells_of_refusal
from tests.service.on_cloud import OnCloud
from tests.service.test_client_streams import Terminal

pytestmark = pytest.mark.on_cloud("it wants a Keystone")

SECTIONS = yaml.load(Path(__file__).with_name("zun_commands.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
#: those that need a terminal
STREAMS = ("attach", "exec", "run")
#: why a command succeeds in no row
NEVER = {"top": "The client prints with a format that is none in Python 3."}
_CAPSULE = {
    "kind": "capsule",
    "metadata": {"name": "pair"},
    "spec": {
        "containers": [
            {
                "image": "busybox",
                "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"],
                "resources": {"requests": {"cpu": 0.1, "memory": 32}},
            }
        ]
    },
}


def zun(*words: str) -> tuple[int, str]:
    """The command in this process: its exit code, and what a person would read."""
    from zunclient import shell

    said = io.StringIO()
    before = sys.argv
    sys.argv = ["zun", *words]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), as_it_was():
            code = shell.main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    return code if isinstance(code, int) else int(bool(code)), said.getvalue()


@pytest.fixture
def account(service: OnCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of somebody who has sourced an openrc."""
    for name, value in service.account().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def furniture(service: OnCloud) -> Iterator[dict[str, str]]:
    """What rows are given of Neutron's."""
    neutron = service.connection.network
    other = neutron.create_network(name=f"other-{uuid.uuid4().hex[:8]}")
    neutron.create_subnet(network_id=other.id, ip_version=4, cidr="10.46.0.0/24", is_dhcp_enabled=False)
    group = neutron.create_security_group(name=f"closed-{uuid.uuid4().hex[:8]}")
    yield {"other": str(other.id), "group": str(group.name)}
    neutron.delete_network(other)
    neutron.delete_security_group(group)


@pytest.fixture
def given(service: OnCloud, furniture: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the rows are given."""
    index = Index([{"name": "team/web", "star_count": 3}, {"name": "team/webster"}], service.nearby)
    (tmp_path / "letter").write_text("dear all\n")
    (tmp_path / "capsule.yaml").write_text(yaml.safe_dump(_CAPSULE))
    try:
        yield {
            "host": str(service.get("/hosts").json()["hosts"][0]["hostname"]),
            **furniture,
            "project": str(service.connection.current_project_id),
            "folder": str(tmp_path),
            "index": index.address,
            "registry": service.cloud.registry,
        }
    finally:
        service.empty()
        index.close()


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    "section", [pytest.param(each, id=each["section"], marks=[pytest.mark.whole] if each.get("whole") else []) for each in SECTIONS]
)
def test_commands(service: OnCloud, given: dict[str, str], section: dict[str, Any]) -> None:
    if not section.get("whole"):
        go_through(service, dict(given), section)
        return
    with service.host_to_spare() as spare:
        go_through(service, {**given, "spare": spare}, section)


def go_through(service: OnCloud, known: dict[str, str], section: dict[str, Any]) -> None:
    """Type what a section says, and read."""
    for row in section["rows"]:
        words = [Template(word).safe_substitute(known) for word in shlex.split(row["run"])]
        at = ["--zun-api-version", row["at"]] if "at" in row else []
        expected = [Template(each).safe_substitute(known) for each in row.get("says", [])]
        if row.get("until"):
            eventually(lambda words=(*at, *words), expected=expected: missing(expected, zun(*words)[1]) == [], f"{words} says {expected}")
        code, said = zun(*at, *words)
        assert (code != 0) is row.get("fails", False), f"{words} ended with {code}: {said}"
        assert code != 0 or tells_of_refusal(said) is row.get("refused", False), f"{words} has said: {said}"
        assert missing(expected, said) == [], f"{words}: {said}"
        for name, expression in row.get("keep", {}).items():
            found = re.search(expression, said)
            assert found, f"{words}: {expression} is not in {said}"
            known[name] = found.group(1)
        for name, status in row.get("then", {}).items():
            becomes(service, name, status)


def missing(expected: list[str], said: str) -> list[str]:
    """What was not said."""
    return [each for each in expected if not re.search(each, said, re.MULTILINE)]


def becomes(service: OnCloud, name: str, status: str) -> None:
    """Wait for a container's or a capsule's status."""
    path = f"/capsules/{name.split()[1]}" if name.startswith("capsule ") else f"/containers/{name}"

    def there() -> bool:
        answer = service.get(path)
        if status == "gone":
            return answer.status_code == 404
        found = answer.json()
        assert found["status"] != "Error", found["status_reason"]
        return bool(found["status"] == status) and (path.startswith("/capsules") or idle(service, path))

    eventually(there, f"{name} becomes {status}")


def idle(service: OnCloud, path: str) -> bool:
    """Whether nothing that was asked of a container is still to be done."""
    rows = service.get(f"{path}/container_actions", version="1.41").json()["containerActions"]
    return all(row["finish_time"] for row in rows)


def test_a_file_comes_back_as_it_went(service: OnCloud, given: dict[str, str], account: None) -> None:
    service.wait(service.create(name="cli"), "Running")
    for words in (("cp", f"{given['folder']}/letter", "cli:/root"), ("cp", "cli:/root/letter", f"{given['folder']}/back")):
        assert zun(*words) == (0, "")
    assert (Path(given["folder"]) / "back" / "letter").read_text() == "dear all\n"


def test_terminals(service: OnCloud, given: dict[str, str], account: None) -> None:
    """``run -i``, ``attach`` and ``exec -i``, by somebody who types."""
    with contextlib.closing(Terminal.of(service, "zun", "run", "-i", "--name", "cli", "--cpu", "0.1", "-m", "32", "busybox", "sh")) as ran:
        ran.until("connected to")
        ran.listens()
        ran.type("\necho $((6*7))-done\n")
        ran.until("42-done")
    with contextlib.closing(Terminal.of(service, "zun", "attach", "cli")) as attached:
        attached.until("connected to")
        attached.listens()
        attached.type("\necho $((6*8))-done\n")
        attached.until("48-done")
    with contextlib.closing(Terminal.of(service, "zun", "exec", "-i", "cli", "sh")) as inside:
        inside.until("# ")
        inside.type("echo $((6*9))-done\n")
        inside.until("54-done")
        inside.type("exit\n")
        assert inside.ended() == 0


def test_commit(service: OnCloud, given: dict[str, str], account: None) -> None:
    service.wait(service.create(name="cli"), "Running")
    code, said = zun("commit", "cli", "snapshot:1")
    assert (code, "Request to commit container cli has been accepted" in said) == (0, True), said
    image = said.rpartition("The image is ")[2].strip().rstrip(".")
    eventually(lambda: not service.committing("cli"), "the commit ends")
    service.forget_image(image)


def test_every_command_succeeds_or_there_is_a_reason() -> None:
    from zunclient import api_versions
    from zunclient.shell import OpenStackZunShell

    shell = OpenStackZunShell()
    shell.get_subcommand_parser(api_versions.get_api_version("1.latest"))
    rows = [row for section in SECTIONS for row in section["rows"]]
    succeeds = {shlex.split(row["run"])[0] for row in rows if not row.get("fails") and not row.get("refused")} | {*STREAMS, "commit"}
    assert {name.replace("_", "-") for name in shell.subcommands} - succeeds == set(NEVER)
    assert set(NEVER) <= {shlex.split(row["run"])[0] for row in rows}, "it is tried all the same"
