"""The Docker engine of a compute host."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "docker"
OPTS = [
    cfg.StrOpt(
        "socket_path",
        default="/var/run/docker.sock",
        regex="^/",
        help="The path of the engine's unix socket. An engine on TCP is never spoken to.",
    ),
    cfg.IntOpt(
        "default_timeout", default=60, min=1, help="Seconds that any call to the engine may take, unless it has a limit of its own."
    ),
    cfg.StrOpt(
        "default_registry",
        help="The registry of images whose names say none, instead of Docker's hub, such as 'registry.example.com' or 'localhost:5000'.",
    ),
    cfg.StrOpt("default_registry_username", help="The account in the default registry, if it wants one."),
    cfg.StrOpt("default_registry_password", secret=True, help="The password of that account."),
    cfg.IntOpt("pull_timeout", default=1800, min=1, help="Seconds that the pull of an image may take."),
    cfg.IntOpt(
        "execute_timeout",
        default=5,
        min=1,
        help="Seconds that a command of the execute call may take; then it is ended and answered with 409.",
    ),
    cfg.IntOpt(
        "pids_limit",
        default=4096,
        min=0,
        help="How many processes and threads a container may have at a time; 0 is no limit. Of containers made from now on.",
    ),
    cfg.IntOpt(
        "log_max_size",
        default=100,
        min=0,
        help="MiB that one file of a container's log may have before the next one is begun; 0 leaves logs to the engine's own "
        "configuration. Of containers made from now on.",
    ),
    cfg.IntOpt("log_max_files", default=2, min=1, help="How many files of its log are kept of a container, the newest."),
    cfg.IntOpt(
        "default_memory_swap",
        default=-1,
        min=-1,
        help="MiB of memory and swap together that a container may use; -1 is no limit on swap.",
    ),
]
