"""Parts that are made when they are first needed."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


def later(make: Callable[[], T]) -> T:
    """What ``make`` makes, once, when it is first asked for anything. For parts that not every process ever asks, and whose libraries are
    large: openstacksdk knows all services of a cloud, in 13 MB. Safe for several threads; where ``make`` raises, the next one tries again.
    """
    return cast(T, _Later(make))


class _Later:
    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._make()
                # As what was there from the beginning: no collection of garbage has to look at all these classes again.
                gc.collect()
                gc.freeze()
        return getattr(self._made, name)
