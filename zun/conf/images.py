"""Where images come from."""

from __future__ import annotations

from oslo_config import cfg

GROUP = "DEFAULT"
OPTS = [
    cfg.ListOpt(
        "image_driver_list",
        default=["glance", "docker"],
        help="The image drivers that requests may name. 'docker' pulls from registries; 'glance' has what OpenStack's image service keeps, "
        "where the section [glance] says how that is reached.",
    ),
    cfg.StrOpt("default_image_driver", default="docker", help="The image driver of containers that name none."),
    cfg.StrOpt(
        "default_image_pull_policy",
        default="always",
        choices=[
            ("always", "ask the registry each time"),
            ("ifnotpresent", "only if the host has no such image"),
            ("never", "the host must have it"),
        ],
        help="When an image is pulled for a container that does not say; saying it is an administrator's right by default.",
    ),
]
