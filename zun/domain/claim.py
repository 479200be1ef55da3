"""What one sandbox takes of one host: a line in the account of hosts."""

from __future__ import annotations

import msgspec

from zun.domain.resources import Resources
from zun.domain.sandbox import Sandbox, device_of


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A line in the account. There is one a sandbox at most: claiming anew, here or on another host, replaces it."""

    #: the uuid that its user knows: the container's, or its capsule's
    consumer: str
    host: str
    takes: Resources
    project_id: str
    user_id: str


def claim_of(sandbox: Sandbox, container_uuid: str, host: str, takes: Resources | None = None) -> Claim:
    """What the sandbox of a container takes on a host: as its row says, unless said."""
    return Claim(
        consumer=device_of(sandbox, container_uuid),
        host=host,
        takes=taken_by(sandbox) if takes is None else takes,
        project_id=sandbox.project_id,
        user_id=sandbox.user_id,
    )


def taken_by(sandbox: Sandbox) -> Resources:
    """What a sandbox's row says that it takes of its host."""
    return Resources(cpu=sandbox.cpu, memory=sandbox.memory, disk=sandbox.disk, pcpu=sandbox.pcpu)
