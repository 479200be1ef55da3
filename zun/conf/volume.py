"""Where the volumes and files of containers come from, and how a host has them."""

from __future__ import annotations

from oslo_config import cfg, types

GROUP = "volume"
OPTS = [
    cfg.ListOpt(
        "driver_list",
        default=["local"],
        item_type=types.String(choices=["cinder", "local"]),
        help="Whom mounts come from. local: files whose content is in the request, and directories that a capsule's containers share. "
        "cinder: the cloud's volumes; the section [cinder] says how Cinder is reached. API processes, conductors and hosts must have the "
        "same.",
    ),
    cfg.StrOpt(
        "volume_dir",
        default="$state_path/mnt",
        help="The directory of a host below which volumes are mounted. What is in it is the service's own; nobody but root can look in.",
    ),
    cfg.StrOpt(
        "fstype",
        default="ext4",
        choices=["ext2", "ext3", "ext4", "xfs", "btrfs"],
        help="The file system that is made on new volumes. Only a volume that the service has made itself, and that is blank, gets one.",
    ),
    cfg.IntOpt(
        "timeout",
        default=60,
        min=1,
        help="Seconds that Cinder may take to make a volume, or to delete one. After that the container is in Error.",
    ),
    cfg.IntOpt(
        "reconcile_interval",
        default=300,
        min=1,
        help="Seconds between two rounds in which a conductor looks whether Cinder has begun an attachment for something after that was "
        "deleted, and takes it away. A round asks Cinder for all attachments that are not completed, where something was deleted in the "
        "last quarter of an hour, and nothing else.",
    ),
    cfg.BoolOpt("use_multipath", default=False, help="Whether hosts reach volumes by several paths at once (os-brick, multipathd)."),
    cfg.HostAddressOpt(
        "my_block_storage_ip",
        help="The address by which the storage knows this host. Unset: the one by which the host reaches others.",
    ),
]
