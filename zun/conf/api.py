"""The REST API."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "api"
OPTS = [
    cfg.StrOpt(
        "auth_strategy",
        default="keystone",
        choices=[("keystone", "tokens of Keystone: see [keystone_authtoken]"), ("basic", "a file of users: see [basic_auth]")],
        help="How callers say who they are. zun-aio knows the second way only.",
    ),
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
    cfg.IntOpt(
        "max_archive_size",
        default=10 * 2**30,
        min=1024,
        help="The most bytes of an archive that get_archive answers. It is streamed, and takes neither memory nor disk here from 1.25 on.",
    ),
    cfg.IntOpt(
        "max_archive_body_size",
        default=2 * 2**30,
        min=1024,
        help="The largest request body of put_archive, in bytes; Base64 makes a third more of an archive than it is. A body is kept in a "
        "file of the temporary folder (TMPDIR) until it is whole.",
    ),
    cfg.IntOpt(
        "max_archives",
        default=4,
        min=1,
        help="How many archives are moved at a time; one more is answered with 503. Each holds a thread until it has arrived, and a body "
        "of put_archive up to max_archive_body_size on disk.",
    ),
    cfg.IntOpt("retry_after", default=5, min=1, help="The seconds after which clients are told to try again by a 503."),
]
