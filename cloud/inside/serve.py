"""Serves a WSGI application: ``serve.py --bind A:P --threads N --application MODULE:NAME -- ARGUMENTS OF THE APPLICATION``.

The application finds its arguments, and nothing of ours, in ``sys.argv``: that is where OpenStack's services look for ``--config-file``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped,import-not-found,unused-ignore]


class _Server(BaseApplication):  # type: ignore[misc,unused-ignore]
    def __init__(self, application: str, first: str | None, settings: dict[str, Any]) -> None:
        self._application, self._first, self._settings = application, first, settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """In the worker, after the fork: nothing is shared that must not be."""
        application = _found(self._application)
        if self._first is not None:
            _found(self._first)()
        return application


def _found(name: str) -> Any:
    module, _, inside = name.partition(":")
    return getattr(importlib.import_module(module), inside)


def main(arguments: Sequence[str]) -> None:
    """Serve until a signal says otherwise."""
    parser = argparse.ArgumentParser(prog="serve.py")
    parser.add_argument("--bind", required=True)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--application", required=True)
    parser.add_argument("--first", help="a function, MODULE:NAME, that each worker calls before it serves")
    parser.add_argument("arguments", nargs="*")
    given = parser.parse_args(arguments)
    sys.argv = [given.application.partition(".")[0], *given.arguments]
    settings = {
        "bind": given.bind,
        "worker_class": "gthread",
        "threads": given.threads,
        "workers": given.workers,
        "timeout": 120,
        "graceful_timeout": 5,
        "keepalive": 30,
        "worker_tmp_dir": "/dev/shm",  # noqa: S108
    }
    _Server(given.application, given.first, settings).run()


if __name__ == "__main__":
    main(sys.argv[1:])
