"""What the driver makes of openstacksdk's answers, where no Neutron is needed to see it."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from zun import errors

exceptions = pytest.importorskip("openstack.exceptions")

from zun.drivers.network.sdk import SdkNeutron  # noqa: E402


def neutron(create: Any, parallel: int) -> SdkNeutron:
    """One that makes ports so."""
    network = SimpleNamespace(create_port=create)
    return SdkNeutron(lambda: SimpleNamespace(network=network), parallel=parallel)


def test_no_more_ports_are_made_at_once_than_it_was_told() -> None:
    inside, most = threading.Semaphore(2), []

    def create(**body: Any) -> Any:
        most.append(inside.acquire(blocking=False))
        try:
            raise exceptions.HttpException("no", http_status=503)
        finally:
            if most[-1]:
                inside.release()

    asked = neutron(create, parallel=2)

    def make() -> None:
        with pytest.raises(errors.NetworkUnavailable):
            asked.make_port({})

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [True] * 8, "and each has its turn, whatever became of the others"
