"""The live service keeps what its own description promises, whatever is sent: no 5xx, no status and no answer that is not described."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import Dockerd
from tests.service.aio import Aio
from tools.environment import development

CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
#: calls that ask Docker's hub, which tests do not reach: that it is away is one of their answers, 503
ASK_THE_HUB = "/search$"
#: the call whose body is a whole grammar: to try each of its members would take minutes
CAPSULES = "post_capsules"
PHASES = ("--max-examples", "8", "--phases", "examples,coverage,fuzzing")


@pytest.fixture
def cloud(engine: Dockerd, tmp_path: Path) -> Iterator[Aio]:
    aio = Aio(tmp_path, engine)
    aio.migrate()
    try:
        aio.start()
        yield aio
    finally:
        aio.clean()


@pytest.mark.parametrize("version", ["1.41", "1.12"])
def test_the_service_is_as_its_description_says(cloud: Aio, tmp_path: Path, version: str) -> None:
    ask_everything(cloud, tmp_path, version, CHECKS, "--exclude-path-regex", ASK_THE_HUB, "--exclude-operation-id", CAPSULES, *PHASES)


def test_what_is_asked_of_capsules_is_as_their_grammar_says(cloud: Aio, tmp_path: Path) -> None:
    ask_everything(cloud, tmp_path, "1.41", CHECKS, "--include-operation-id", CAPSULES, "--max-examples", "20", "--phases", "fuzzing")


def test_a_search_is_as_its_description_says_even_where_nothing_can_be_searched(cloud: Aio, tmp_path: Path) -> None:
    ask_everything(cloud, tmp_path, "1.41", CHECKS[1:], "--include-path-regex", ASK_THE_HUB, *PHASES)


def ask_everything(cloud: Aio, tmp_path: Path, version: str, checks: tuple[str, ...], *which: str) -> None:
    """Have schemathesis ask whatever the description allows, and what it does not."""
    command = [
        development().program("schemathesis"),
        *("run", f"{cloud.url}/openapi.json"),
        *("--header", f"OpenStack-API-Version: container {version}"),
        *("--auth", f"admin:{cloud.password}"),
        *("--checks", ",".join(checks)),
        *which,
        *("--seed", "1", "--no-color"),
        *("--suppress-health-check", "all", "--request-timeout", "60"),
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    told = [line[:300] for line in found.stdout.partition("= WARNINGS =")[0].splitlines() if line.strip()]
    assert found.returncode == 0, "\n".join(told[-120:]) + found.stderr[-2000:]
