"""Keys for what is kept secret in the database: the passwords of private registries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from oslo_config import cfg

if TYPE_CHECKING:
    from zun.conductor.vault import Vault

GROUP = "secrets"
OPTS = [
    cfg.ListOpt(
        "encryption_keys",
        default=[],
        secret=True,
        help="Keys that seal what is kept secret in the database, each 32 bytes in URL-safe Base64. The first one seals, all of them open. "
        "To replace a key, put the new one first, seal everything anew, then take the old one out. Every conductor must have the same.",
    ),
    cfg.StrOpt(
        "key_file",
        default="$state_path/secret-keys",
        help="A file of such keys, one a line, the newest first, where no keys are given here. It is read again whenever it is needed. "
        "zun-aio makes it with a key of its own when there is none.",
    ),
]


def vault(conf: cfg.ConfigOpts) -> Vault:
    """What seals and opens with the configured keys. Raises ValueError for what is no key."""
    # Not for hosts and stream proxies: what they are told is open, and the library is 7 MB.
    from zun.conductor.vault import KeyFile, Vault, checked

    if conf.secrets.encryption_keys:
        keys = checked(conf.secrets.encryption_keys, "[secrets] encryption_keys")
        return Vault(lambda: keys)
    return Vault(KeyFile(Path(conf.secrets.key_file)))


def ensure_key(conf: cfg.ConfigOpts) -> None:
    """Have a key in the file, unless keys are given in the configuration. Raises OSError, ValueError."""
    from zun.conductor.vault import KeyFile

    if not conf.secrets.encryption_keys:
        KeyFile(Path(conf.secrets.key_file)).ensure()
