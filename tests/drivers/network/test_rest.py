"""How many ports Neutron is asked for at once."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from zun import errors

exceptions = pytest.importorskip("keystoneauth1.exceptions")

from zun.drivers.network.rest import RestNeutron  # noqa: E402


def neutron(request: Any, parallel: int) -> RestNeutron:
    """One that is asked so."""
    return RestNeutron(lambda: SimpleNamespace(request=request), parallel=parallel)


def test_no_more_ports_are_made_at_once_than_it_was_told() -> None:
    inside, most = threading.Semaphore(2), []

    def request(*_: Any, **more: Any) -> Any:
        most.append(inside.acquire(blocking=False))
        try:
            raise exceptions.ConnectFailure("no")
        finally:
            if most[-1]:
                inside.release()

    asked = neutron(request, parallel=2)

    def make() -> None:
        with pytest.raises(errors.NetworkUnavailable):
            asked.make_port({})

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [True] * 8, "and each has its turn, whatever became of the others"
