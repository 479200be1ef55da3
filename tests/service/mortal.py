"""A service for tests that kill it and begin it again: the next test has the same one, once nothing of the last is left in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import Dockerd
from tests.service.aio import Aio


@pytest.fixture(scope="module")
def survivors() -> Iterator[list[Aio]]:
    """The services that the last test has left, running and empty: one or none."""
    found: list[Aio] = []
    yield found
    for aio in found:
        aio.clean()


@pytest.fixture
def mortal(engine: Dockerd, survivors: list[Aio], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aio]:
    """A running service without a container. One that a test leaves dead, or that is not to be emptied, is seen by no other test."""
    aio = survivors.pop() if survivors else Aio(tmp_path_factory.mktemp("mortal"), engine)
    try:
        if not aio.state.exists():
            aio.migrate()
            aio.start()
        yield aio
        if aio.alive:
            aio.empty()
            survivors.append(aio)
    finally:
        if aio not in survivors:
            aio.clean()
