"""The REST API."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "api"
OPTS = [
    cfg.HostAddressOpt("host_ip", default="127.0.0.1", help="The address that the API listens on."),
    cfg.PortOpt("port", default=9517, help="The port that the API listens on."),
    cfg.IntOpt("threads", default=16, min=1, help="How many requests are worked on at a time."),
    cfg.IntOpt("max_limit", default=1000, min=1, help="The most items that one answer of a list holds; also what it holds unless asked."),
    cfg.IntOpt(
        "max_request_body_size",
        default=1_048_576,
        min=1024,
        help="The largest request body that is read, in bytes; a larger one is answered with 413.",
    ),
    cfg.IntOpt("retry_after", default=5, min=1, help="The seconds after which clients are told to try again by a 503."),
]
