"""What every test may ask for by name."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.brokers", "tests.engines", "tests.registries", "tests.servers", "tests.stores", "tests.world"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--on-cloud", action="store_true", help="tests of the official client: again on the test cloud, with Keystone (docs/cloud.md)"
    )
