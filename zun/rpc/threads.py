"""oslo.messaging, on threads.

It imports oslo.service, which takes eventlet unless it is told otherwise before; and futurist, which takes eventlet along where it is
installed, as oslo.service still demands that it be. In this process nobody finds it.
"""

from __future__ import annotations

import contextlib
import importlib
import sys

sys.modules.setdefault("eventlet", None)  # type: ignore[arg-type]  # the import system's own way to say that there is none

from oslo_service.backend import BackendType, init_backend  # type: ignore[import-untyped]  # noqa: E402

init_backend(BackendType.THREADING)

import amqp  # type: ignore[import-untyped]  # noqa: E402
import kombu  # noqa: E402
import oslo_messaging  # type: ignore[import-untyped]  # noqa: E402
from oslo_config import cfg  # noqa: E402
from oslo_messaging.opts import list_opts  # type: ignore[import-untyped]  # noqa: E402

__all__ = ["FAILURES", "oslo_messaging", "register_options"]

#: what it raises when there is no answer; some errors of what it is made of it lets through
FAILURES = (oslo_messaging.MessagingException, oslo_messaging.MessageUndeliverable, kombu.exceptions.KombuError, amqp.AMQPError, OSError)


def register_options(conf: cfg.ConfigOpts) -> None:
    """All that it reads: some of it, it registers with a global configuration only, and does not list."""
    for group, options in list_opts():
        conf.register_opts(options, group)
    for part in ("metrics", "tracing"):
        # The second one is there from release 18.3 on.
        with contextlib.suppress(ImportError):
            module = importlib.import_module(f"oslo_messaging._{part}.client")
            conf.register_opts(getattr(module, f"oslo_messaging_{part}"), f"oslo_messaging_{part}")
