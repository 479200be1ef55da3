"""The labels that every thing of ours carries in an engine. From them alone an agent that lost its memory tells what is whose.

``deployment`` names the cloud: two clouds may share an engine, and neither ever sees the other's things.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "org.openstack.zun."
DEPLOYMENT = PREFIX + "deployment"
SANDBOX = PREFIX + "sandbox"
#: absent on the sandbox itself
CONTAINER = PREFIX + "container"
REVISION = PREFIX + "revision"
#: what a container that was made anew out of an earlier object took over, parted by commas: the word "image", and the names of volumes.
#: These go with it. Empty on all others, for an image may bring labels along, and must not decide what is removed.
KEPT = PREFIX + "kept"
#: the version of this scheme
SCHEME = PREFIX + "labels"
SCHEME_VERSION = "1"

#: of a deployment and of a uuid: both become parts of paths
_NAME = re.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")
_NUMBER = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Mark:
    """What the labels of one thing say."""

    sandbox: str
    container: str | None
    revision: int


def checked(deployment: str) -> str:
    """The deployment's name, if it may be one. Raises ValueError."""
    if not _NAME.fullmatch(deployment):
        raise ValueError(f"{deployment!r} cannot name a deployment: letters, digits, '_', '.', '-', at most 63")
    return deployment


def write(deployment: str, mark: Mark, users: Mapping[str, str] | None = None) -> dict[str, str]:
    """The labels for a new thing. A user's label under our prefix is left out: it could make one thing pass for another. All of ours are
    written, empty too: those of an image would show through otherwise."""
    found = {key: value for key, value in (users or {}).items() if not key.startswith(PREFIX)}
    found.update({DEPLOYMENT: deployment, SANDBOX: mark.sandbox, REVISION: str(mark.revision), SCHEME: SCHEME_VERSION, KEPT: ""})
    if mark.container is not None:
        found[CONTAINER] = mark.container
    return found


def read(labels: Mapping[str, str] | None) -> Mark | None:
    """What the labels say; None for a thing that is not ours, or of a scheme that is not ours."""
    given = labels or {}
    sandbox, container, revision = given.get(SANDBOX, ""), given.get(CONTAINER), given.get(REVISION, "0")
    names = [sandbox] if container is None else [sandbox, container]
    if given.get(SCHEME) != SCHEME_VERSION or not _NUMBER.fullmatch(revision) or not all(map(_NAME.fullmatch, names)):
        return None
    return Mark(sandbox, container, int(revision))
