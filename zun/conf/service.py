"""What every process of the service on a machine shares."""

from __future__ import annotations

import socket

from oslo_config import cfg

GROUP = "DEFAULT"
OPTS = [
    cfg.HostnameOpt(
        "host",
        default=socket.gethostname(),
        sample_default="<the machine's host name>",
        help="The name of this compute host: it must be unique in the cloud and must never change while containers live here.",
    ),
    cfg.StrOpt("state_path", default="/var/lib/zun", help="The directory in which the service keeps what must survive a restart."),
    cfg.StrOpt(
        "unique_container_name_scope",
        default="",
        choices=[("", "names may repeat"), ("project", "unique within a project"), ("global", "unique in the cloud")],
        help="Within what a container's name may be used only once, in any case of letters; a repeated name is answered with 409.",
    ),
    cfg.StrOpt(
        "default_schedule_zone", help="The availability zone of containers that ask for none. Unset: any zone.", sample_default="nova"
    ),
]
