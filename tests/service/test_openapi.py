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


@pytest.fixture
def cloud(engine: Dockerd, tmp_path: Path) -> Iterator[Aio]:
    aio = Aio(tmp_path, engine)
    try:
        aio.start()
        yield aio
    finally:
        aio.clean()


@pytest.mark.parametrize("version", ["1.41", "1.12"])
def test_the_service_is_as_its_description_says(cloud: Aio, tmp_path: Path, version: str) -> None:
    command = [
        development().program("schemathesis"),
        *("run", f"{cloud.url}/openapi.json"),
        *("--header", f"OpenStack-API-Version: container {version}"),
        *("--auth", f"admin:{cloud.password}"),
        *("--checks", ",".join(CHECKS)),
        # It asks the hub, which tests do not reach: 503.
        *("--exclude-path-regex", "/search$"),
        *("--max-examples", "8", "--seed", "1", "--phases", "examples,coverage,fuzzing", "--no-color"),
        *("--suppress-health-check", "all", "--request-timeout", "60"),
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    told = [line[:300] for line in found.stdout.partition("= WARNINGS =")[0].splitlines() if line.strip()]
    assert found.returncode == 0, "\n".join(told[-120:]) + found.stderr[-2000:]
