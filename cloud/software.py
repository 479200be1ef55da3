"""What the cloud is made of: packages of the distribution, and an environment with OpenStack's own from PyPI."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from tools import environment, packages

PACKAGES = (
    "conntrack",
    "dnsmasq-base",
    "docker-registry",
    "docker.io",
    "e2fsprogs",
    "ebtables",
    "ethtool",
    "haproxy",
    "iproute2",
    "ipset",
    "iptables",
    "iputils-arping",
    "iputils-ping",
    "mariadb-server",
    "memcached",
    "mount",
    "openvswitch-switch",
    "procps",
    "python3-venv",
    "qemu-utils",
    "rabbitmq-server",
    "radvd",
    "util-linux",
)
_HERE = Path(__file__).parent
REQUIREMENTS, CONSTRAINTS = _HERE / "requirements.txt", _HERE / "constraints.txt"


def install_packages() -> bool:
    """See that the distribution's packages are here; none of their services is started. Returns whether any was missing. Raises Trouble."""
    packages.forget_policy()
    missing = packages.missing(PACKAGES)
    if missing:
        with packages.no_service_starts():
            packages.plan(missing)
            packages.install(missing)
    return bool(missing)


def install_environment(folder: Path, requirements: Path = REQUIREMENTS, constraints: Path = CONSTRAINTS) -> bool:
    """See that an environment is here, by default that of the services. Returns whether anything was to be done. Raises Trouble."""
    mark = folder / "cloud-fingerprint"
    wanted = fingerprint(requirements, constraints)
    if mark.exists() and mark.read_text() == wanted:
        return False
    environment.create(folder)
    environment.install(folder, constraints, ["-r", str(requirements)])
    mark.write_text(wanted)
    return True


def fingerprint(requirements: Path = REQUIREMENTS, constraints: Path = CONSTRAINTS) -> str:
    """Changes when other versions are wanted, or another Python."""
    digest = hashlib.sha256(f"{sys.executable} {sys.version_info[:3]}".encode())
    for file in (requirements, constraints):
        digest.update(file.read_bytes())
    return digest.hexdigest()
