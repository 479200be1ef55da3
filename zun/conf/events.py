"""What happened, for those who watch."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "events"
OPTS = [
    cfg.IntOpt(
        "retention",
        default=86_400,
        min=60,
        help="Seconds for which an event is kept. Who comes back later than that is told that he has missed something.",
    ),
    cfg.IntOpt("most", default=100_000, min=1000, help="The most events of one project that are kept, the newest, however young they are."),
]
