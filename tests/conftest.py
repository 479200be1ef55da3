"""What every test may ask for by name."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.brokers", "tests.engines", "tests.registries", "tests.servers", "tests.stores", "tests.world"]

#: What takes longest, in this order.
LONGEST = ("/service/test_openapi", "/service/", "/properties/", "/drivers/", "/faults/")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--on-cloud", action="store_true", help="tests of the official client: again on the test cloud, with Keystone (docs/cloud.md)"
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """What is imported and collected stays for the life of the process: who looks for garbage need not look through it every time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: where files are spread over processes, the last to begin should be short."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    path = item.path.as_posix()
    return next((rank for rank, part in enumerate(LONGEST) if part in path), len(LONGEST))
