"""The options of calls that are no field of a stored thing, declared as fields are (REST contract, sections 4, 5, 7)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from zun.domain import kinds, structures
from zun.domain.event import Kind, What
from zun.domain.host_image import ImageState
from zun.domain.lifecycle import Status
from zun.domain.model import Field, Version

#: of containers, capsules and images
STATUSES = tuple(dict.fromkeys([*(each.value for each in Status), *(each.value for each in ImageState)]))

_KEY = "an idempotency key: the same request with the same key makes nothing a second time; the header X-Idempotency-Key says the same"


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """No options."""


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list. The last two are leftovers that clients may still send; they have no effect."""

    limit: Annotated[int | None, Field(doc="the most items", create=kinds.PAGE_LIMIT)] = None
    marker: Annotated[str | None, Field(doc="the uuid of the last item that was seen", create=kinds.EXACT_TEXT)] = None
    sort_key: Annotated[str | None, Field(doc="the member to sort by", create=kinds.EXACT_TEXT)] = None
    sort_dir: Annotated[str, Field(doc="asc or desc", create=kinds.SORT_DIRECTION)] = "asc"
    resource_url: Annotated[str | None, Field(doc="has no effect", create=kinds.ANYTHING)] = None
    expand: Annotated[str | None, Field(doc="has no effect", create=kinds.ANYTHING)] = None


class List(Paging, frozen=True, kw_only=True):
    """A list that may span all projects."""

    all_projects: Annotated[bool, Field(doc="those of all projects, too; needs a right of its own", create=kinds.BOOLEAN_LIST)] = False


class Show(msgspec.Struct, frozen=True, kw_only=True):
    """One thing, of any project if asked."""

    all_projects: Annotated[bool, Field(doc="those of all projects, too; needs a right of its own", create=kinds.BOOLEAN_LIST)] = False


class Create(msgspec.Struct, frozen=True, kw_only=True):
    """``run`` starts what is made; ``registry`` names where its image is."""

    run: Annotated[bool, Field(doc="start it as well", create=kinds.BOOLEAN_QUERY)] = False
    registry: Annotated[
        str | None,
        Field(doc="the registry that its image comes from, by uuid or name", create=kinds.REGISTRY, since=Version(1, 31), below="gate"),
    ] = None
    client_token: Annotated[str | None, Field(doc=_KEY, create=kinds.IDEMPOTENCY_KEY, since=Version(1, 41))] = None


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """Clients send the false ones at every version: only a true one is gated."""

    force: Annotated[
        bool,
        Field(doc="whatever its state; needs a right of its own", create=kinds.BOOLEAN_QUERY, since=Version(1, 7), below="gate-filled"),
    ] = False
    stop: Annotated[bool, Field(doc="end it first", create=kinds.BOOLEAN_QUERY, since=Version(1, 12), below="gate-filled")] = False
    all_projects: Annotated[bool, Field(doc="those of all projects, too; needs a right of its own", create=kinds.BOOLEAN_QUERY)] = False


class CreateCapsule(msgspec.Struct, frozen=True, kw_only=True):
    """The whole capsule in one."""

    template: Annotated[
        Any, Field(doc="a capsule template, or a Kubernetes v1 Pod: an object, or one as JSON text", create=kinds.TEMPLATE, required=True)
    ]
    client_token: Annotated[str | None, Field(doc=_KEY, create=kinds.IDEMPOTENCY_KEY, since=Version(1, 41))] = None


class DeleteCapsule(msgspec.Struct, frozen=True, kw_only=True):
    """A capsule of any project, if asked."""

    all_projects: Annotated[bool, Field(doc="those of all projects, too; needs a right of its own", create=kinds.BOOLEAN_QUERY)] = False


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """Which account opens the image's registry. The others are leftovers that clients may still send; they have no effect."""

    registry: Annotated[
        str | None, Field(doc="name or uuid of the registry that opens it", create=kinds.REGISTRY, since=Version(1, 41))
    ] = None
    image_id: Annotated[str | None, Field(doc="has no effect", create=kinds.ANYTHING)] = None
    tag: Annotated[str | None, Field(doc="has no effect", create=kinds.ANYTHING)] = None
    size: Annotated[str | None, Field(doc="has no effect", create=kinds.ANYTHING)] = None
    image_pull_policy: Annotated[str | None, Field(doc="has no effect", create=kinds.ANYTHING)] = None


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Where images are searched for, and whether the name must be all of theirs."""

    image_driver: Annotated[str | None, Field(doc="who searches", create=kinds.IMAGE_DRIVER)] = None
    exact_match: Annotated[bool, Field(doc="the name is all of the image's name", create=kinds.BOOLEAN)] = False


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """What the new image is called."""

    repository: Annotated[str, Field(doc="what it is called, in Glance unless it names a registry", create=kinds.IMAGE, required=True)]
    tag: Annotated[str | None, Field(doc="its tag; `latest` unless said", create=kinds.TAG)] = None


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How many seconds a container is given to end by itself."""

    timeout: Annotated[int | None, Field(doc="seconds that it is given to end by itself", create=kinds.TIMEOUT)] = None


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """Which signal is sent."""

    signal: Annotated[str, Field(doc="the signal's name or number", create=kinds.SIGNAL)] = "KILL"


class Rebuild(msgspec.Struct, frozen=True, kw_only=True):
    """Of which image the container is made anew; it is its own unless another one is named."""

    image: Annotated[str | None, Field(doc="image reference", create=kinds.REBUILD_IMAGE)] = None
    image_driver: Annotated[str | None, Field(doc="the driver that brings the image", create=kinds.REBUILD_DRIVER)] = None


class Logs(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a log."""

    stdout: Annotated[bool, Field(doc="with its standard output", create=kinds.BOOLEAN_QUERY)] = True
    stderr: Annotated[bool, Field(doc="with its standard error", create=kinds.BOOLEAN_QUERY)] = True
    timestamps: Annotated[bool, Field(doc="with the time of each line", create=kinds.BOOLEAN_QUERY)] = False
    tail: Annotated[int | None, Field(doc="only so many of the last lines", create=kinds.TAIL)] = None
    since: Annotated[datetime | None, Field(doc="only what was written since", create=kinds.SINCE)] = None
    follow: Annotated[
        bool,
        Field(
            doc="also what is written from now on: a redirection to where it is to be had", create=kinds.BOOLEAN_QUERY, since=Version(1, 41)
        ),
    ] = False


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the events of a project; several values of a filter are parted by commas, and an event must meet every filter."""

    since: Annotated[int | None, Field(doc="the cursor up to which they are known", create=kinds.CURSOR)] = None
    limit: Annotated[int | None, Field(doc="how many at most", create=kinds.PAGE_LIMIT)] = None
    container: Annotated[tuple[str, ...] | None, Field(doc="uuids of containers", create=kinds.UUIDS)] = None
    capsule: Annotated[
        tuple[str, ...] | None, Field(doc="uuids of capsules: what is told of them and of their containers", create=kinds.UUIDS)
    ] = None
    image: Annotated[tuple[str, ...] | None, Field(doc="uuids of images of hosts", create=kinds.UUIDS)] = None
    kind: Annotated[tuple[str, ...] | None, Field(doc="what they are about", create=kinds.one_of("kind", Kind))] = None
    what: Annotated[tuple[str, ...] | None, Field(doc="what happened", create=kinds.one_of("what", What))] = None
    status: Annotated[tuple[str, ...] | None, Field(doc="the status after the event", create=kinds.one_of("status", STATUSES))] = None
    action: Annotated[tuple[str, ...] | None, Field(doc="verbs, such as create or pull", create=kinds.VERBS)] = None
    request_id: Annotated[str | None, Field(doc="the request that they come of", create=kinds.REQUEST_ID)] = None


class Execute(msgspec.Struct, frozen=True, kw_only=True):
    """The command, and whether it is run at once or waits for a terminal."""

    command: Annotated[
        list[str], Field(doc="split into words as a shell would, and run by none", create=kinds.SHELL_COMMAND, required=True)
    ]
    run: Annotated[bool, Field(doc="start it as well", create=kinds.BOOLEAN)] = True
    interactive: Annotated[bool, Field(doc="with a terminal", create=kinds.BOOLEAN)] = False


class Rename(msgspec.Struct, frozen=True, kw_only=True):
    """The new name."""

    name: Annotated[str, Field(doc="the new name", create=kinds.NEW_NAME, required=True)]


class Attach(msgspec.Struct, frozen=True, kw_only=True):
    """The network or the port; neither leaves the choice to the service."""

    network: Annotated[str | None, Field(doc="the network, by uuid or name", create=structures.ID_OR_NAME)] = None
    port: Annotated[str | None, Field(doc="the port, by uuid or name", create=structures.ID_OR_NAME)] = None
    fixed_ip: Annotated[str | None, Field(doc="the address that it shall have there", create=structures.ADDRESS)] = None


class Detach(msgspec.Struct, frozen=True, kw_only=True):
    """The network or the port."""

    network: Annotated[str | None, Field(doc="the network, by uuid or name", create=structures.ID_OR_NAME)] = None
    port: Annotated[str | None, Field(doc="the port, by uuid or name", create=structures.ID_OR_NAME)] = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A security group, by id or name."""

    name: Annotated[str, Field(doc="the security group, by uuid or name", create=structures.ID_OR_NAME, required=True)]


class MakeNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """The network of Neutron that containers shall be able to use; ``name`` has no effect."""

    neutron_net_id: Annotated[str, Field(doc="the network, by its uuid in Neutron", create=kinds.NETWORK_ID, required=True)]
    name: Annotated[str | None, Field(doc="has no effect", create=kinds.NETWORK_NAME)] = None


class PathOf(msgspec.Struct, frozen=True, kw_only=True):
    """What of a container's files."""

    path: Annotated[str, Field(doc="a path in the container", create=kinds.FILE_PATH, required=True)]


class TerminalSize(msgspec.Struct, frozen=True, kw_only=True):
    """Height and width of a terminal, in characters."""

    h: Annotated[int, Field(doc="lines", create=kinds.TERMINAL_SIDE, required=True)]
    w: Annotated[int, Field(doc="columns", create=kinds.TERMINAL_SIDE, required=True)]


class ExecSize(TerminalSize, frozen=True, kw_only=True):
    """Of a command's terminal."""

    exec_id: Annotated[str, Field(doc="the command, as execute has answered", create=kinds.EXEC_ID, required=True)]


class Top(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of ps."""

    ps_args: Annotated[str | None, Field(doc="arguments of ps", create=kinds.PS_ARGS)] = None


class OneService(msgspec.Struct, frozen=True, kw_only=True):
    """A process of ours, by its host and its name."""

    host: Annotated[str, Field(doc="the compute host", create=kinds.HOST, required=True)]
    binary: Annotated[str, Field(doc="the process, such as zun-compute", create=kinds.BINARY, required=True)]


class Disable(OneService, frozen=True, kw_only=True):
    """Why a host gets no new work."""

    disabled_reason: Annotated[str | None, Field(doc="why", create=kinds.REASON)] = None


class Enable(OneService, frozen=True, kw_only=True):
    """Whether what a drain has stopped on the host is started again."""

    restart: Annotated[
        bool, Field(doc="start again what the last drain of the host has stopped", create=kinds.BOOLEAN_QUERY, since=Version(1, 41))
    ] = False


class Drain(Disable, frozen=True, kw_only=True):
    """How long the containers of the host have to end."""

    timeout: Annotated[
        int, Field(doc="seconds until the last container must have been stopped; 600 unless given", create=kinds.DRAIN_TIMEOUT)
    ] = 600


class ForceDown(OneService, frozen=True, kw_only=True):
    """Whether a service counts as down, whatever it says itself."""

    forced_down: Annotated[bool, Field(doc="whether it counts as down whatever it says", create=kinds.BOOLEAN, required=True)]


class Usages(msgspec.Struct, frozen=True, kw_only=True):
    """Any text but none asks for what is in use, too."""

    usages: Annotated[str | None, Field(doc="any text asks for what is in use, too", create=kinds.ANYTHING)] = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of each resource; -1 is no limit."""

    containers: Annotated[int | None, Field(doc="how many; -1 is no limit", create=kinds.LIMIT)] = None
    cpu: Annotated[int | None, Field(doc="cores", create=kinds.LIMIT)] = None
    memory: Annotated[int | None, Field(doc="MiB", create=kinds.LIMIT)] = None
    disk: Annotated[int | None, Field(doc="GiB", create=kinds.LIMIT)] = None
