"""Answers that are no stored thing: their forms, for the descriptions of the API. ``tests/service`` holds what is answered to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer."""


def _said(text: str) -> Meta:
    return Meta(description=text)


class Link(Shown, frozen=True, kw_only=True):
    """Where a resource is."""

    href: Annotated[str, _said("its address")]
    rel: Annotated[str, _said("`self`, `bookmark` or `describedby`")]


class MediaLink(Link, frozen=True, kw_only=True):
    """Where something is, and what it is written in."""

    type: Annotated[str | msgspec.UnsetType, _said("the media type of what is there")] = msgspec.UNSET


# -- what there is --------------------------------------------------------------------------------


class ApiVersion(Shown, frozen=True, kw_only=True):
    """A version of the API."""

    id: Annotated[str, _said("`v1`")]
    links: list[Link]
    status: Annotated[str, _said("`CURRENT`")]
    max_version: Annotated[str, _said("the newest microversion")]
    min_version: Annotated[str, _said("the oldest microversion, which is used where none is asked for")]


class ApiVersions(Shown, frozen=True, kw_only=True):
    """The versions of the API."""

    name: Annotated[str, _said("`OpenStack Zun API`")]
    description: Annotated[str, _said("what it is for")]
    versions: list[ApiVersion]
    default_version: ApiVersion


class MediaType(Shown, frozen=True, kw_only=True):
    """What the API speaks."""

    base: Annotated[str, _said("`application/json`")]
    type: Annotated[str, _said("its name among media types")]


class ApiResources(Shown, frozen=True, kw_only=True):
    """Where the resources of the API are."""

    id: Annotated[str, _said("`v1`")]
    media_types: list[MediaType]
    links: list[MediaLink]
    services: list[Link]
    containers: list[Link]
    images: list[Link]
    networks: list[Link]
    hosts: list[Link]
    capsules: list[Link]
    availability_zones: list[Link]
    quotas: list[Link]
    quota_classes: list[Link]
    registries: list[Link]


class OpenApi(Shown, frozen=True, kw_only=True):
    """A document of OpenAPI 3.1."""

    openapi: Annotated[str, _said("`3.1.0`")]
    info: Annotated[dict[str, Any], _said("what this is, at which microversion")]
    paths: Annotated[dict[str, Any], _said("the calls, by path and method")]
    components: Annotated[dict[str, Any], _said("what the calls refer to")]
    security: Annotated[list[dict[str, Any]], _said("how a caller says who he is")]


# -- containers -----------------------------------------------------------------------------------


class Address(Shown, frozen=True, kw_only=True):
    """An address of a container."""

    addr: Annotated[str, _said("the address")]
    version: Annotated[Literal[4, 6], _said("of the Internet Protocol")]
    port: Annotated[str | None, _said("uuid of its port; null where there is no Neutron")]
    subnet_id: Annotated[str | None, _said("uuid of its subnet; null where there is no Neutron")]
    preserve_on_delete: Annotated[bool, _said("its port stays when the container goes")]


class HealthCheck(Shown, frozen=True, kw_only=True):
    """How a container's health is checked."""

    test: Annotated[str | msgspec.UnsetType, _said("the command")] = msgspec.UNSET
    interval: Annotated[int | msgspec.UnsetType, _said("seconds from one check to the next")] = msgspec.UNSET
    timeout: Annotated[int | msgspec.UnsetType, _said("seconds that one may take")] = msgspec.UNSET
    retries: Annotated[int | msgspec.UnsetType, _said("failures in a row after which it is unhealthy")] = msgspec.UNSET


Usage = msgspec.defstruct(
    "Usage",
    [
        ("container", Annotated[str, _said("the container's name")], msgspec.field(name="CONTAINER")),
        ("cpu", Annotated[float, _said("of one core")], msgspec.field(name="CPU %")),
        ("memory", Annotated[float, _said("in use")], msgspec.field(name="MEM USAGE(MiB)")),
        ("limit", Annotated[float, _said("the most that it may use")], msgspec.field(name="MEM LIMIT(MiB)")),
        ("share", Annotated[float, _said("in use of the most")], msgspec.field(name="MEM %")),
        ("block", Annotated[str, _said("bytes read and written, parted by a slash")], msgspec.field(name="BLOCK I/O(B)")),
        ("net", Annotated[str, _said("bytes received and sent, parted by a slash")], msgspec.field(name="NET I/O(B)")),
    ],
    frozen=True,
    kw_only=True,
)


class PathFacts(Shown, frozen=True, kw_only=True):
    """What is at a path in a container."""

    name: Annotated[str, _said("its last part")]
    size: Annotated[int, _said("bytes")]
    mode: Annotated[int, _said("kind and permissions, as the engine has them")]
    mtime: Annotated[str, _said("when it was last changed")]
    link_target: Annotated[str, _said("where it leads, if it is a link")] = msgspec.field(name="linkTarget")


class FixedIp(Shown, frozen=True, kw_only=True):
    """An address on a port."""

    subnet_id: Annotated[str | None, _said("uuid of its subnet; null where there is no Neutron")]
    version: Annotated[Literal[4, 6], _said("of the Internet Protocol")]
    ip_address: Annotated[str, _said("the address")]


class OnNetwork(Shown, frozen=True, kw_only=True):
    """A port of a container, with its addresses."""

    net_id: Annotated[str, _said("the network")]
    port_id: Annotated[str | None, _said("uuid of the port; null where there is no Neutron")]
    fixed_ips: list[FixedIp]


class AddressOnNetwork(FixedIp, frozen=True, kw_only=True):
    """An address of a container, up to microversion 1.17."""

    net_id: Annotated[str, _said("the network")]
    port_id: Annotated[str | None, _said("uuid of its port; null where there is no Neutron")]


class NetworksOf(Shown, frozen=True, kw_only=True):
    """The networks that a container is in, one item for each port."""

    networks: list[OnNetwork]


class AddressesOf(Shown, frozen=True, kw_only=True):
    """The networks that a container is in, one item for each address."""

    networks: list[AddressOnNetwork]


class Step(Shown, frozen=True, kw_only=True):
    """What became of one step of an action."""

    event: Annotated[str, _said("the step, such as `compute__pull_image`")]
    start_time: Annotated[str | None, _said("UTC")]
    finish_time: Annotated[str | None, _said("UTC; null while it is under way")]
    result: Annotated[str | None, _said("`Success` or `Error`; null while it is under way")]
    traceback: Annotated[str | None, _said("why it failed, to whom the rule `container:action:events` allows it")]


class DetailedStep(Step, frozen=True, kw_only=True):
    """What became of one step of an action, and how far it has come."""

    details: Annotated[str | None, _said("how far it has come, or what came of it, in words (since microversion 1.41)")]


# -- images ---------------------------------------------------------------------------------------


class Committed(Shown, frozen=True, kw_only=True):
    """The image that is being made of a container."""

    uuid: Annotated[str, _said("of the image: `GET /v1/images/{id}` shows it; it is Glance's, too, where it goes there")]


class FoundFacts(Shown, frozen=True, kw_only=True):
    """What a registry says of an image."""

    is_official: Annotated[bool, _said("the registry vouches for it")]
    star_count: Annotated[int, _said("how many users like it")]


class FoundImage(Shown, frozen=True, kw_only=True):
    """An image that a registry has found, with `description` and `metadata`; or one of Glance's, as Glance shows it."""

    name: Annotated[str | None, _said("its repository; in Glance its name, which others may have, too")]
    description: Annotated[str | msgspec.UnsetType, _said("what its owner says of it")] = msgspec.UNSET
    metadata: FoundFacts | msgspec.UnsetType = msgspec.UNSET
    id: Annotated[str | msgspec.UnsetType, _said("its uuid in Glance, by which a container can be made of it")] = msgspec.UNSET
    status: Annotated[str | msgspec.UnsetType, _said("a container can be made of one that is `active`")] = msgspec.UNSET
    visibility: Annotated[str | msgspec.UnsetType, _said("`public`, `private`, `shared` or `community`")] = msgspec.UNSET
    owner: Annotated[str | msgspec.UnsetType | None, _said("the project whose it is")] = msgspec.UNSET
    size: Annotated[int | msgspec.UnsetType | None, _said("bytes")] = msgspec.UNSET
    tags: Annotated[list[str] | msgspec.UnsetType, _said("its tags")] = msgspec.UNSET
    container_format: Annotated[str | msgspec.UnsetType | None, _said("`docker`")] = msgspec.UNSET
    disk_format: Annotated[str | msgspec.UnsetType | None, _said("a container can be made of one that is `raw`")] = msgspec.UNSET
    os_hash_algo: Annotated[str | msgspec.UnsetType | None, _said("how its digest was made")] = msgspec.UNSET
    os_hash_value: Annotated[str | msgspec.UnsetType | None, _said("its digest")] = msgspec.UNSET
    created_at: Annotated[str | msgspec.UnsetType, _said("when it was made")] = msgspec.UNSET
    updated_at: Annotated[str | msgspec.UnsetType, _said("when it was last changed")] = msgspec.UNSET


# -- services, quotas -----------------------------------------------------------------------------


class Zone(Shown, frozen=True, kw_only=True):
    """An availability zone."""

    availability_zone: Annotated[str, _said("its name")]


class Zones(Shown, frozen=True, kw_only=True):
    """The availability zones that some host is in."""

    availability_zones: list[Zone]
    next: Annotated[str | None, _said("the address of the next part")]


class ServiceEnabled(Shown, frozen=True, kw_only=True):
    """Whether a service has new work."""

    host: Annotated[str, _said("the host that it is on")]
    binary: Annotated[str, _said("its name, such as `zun-compute`")]
    disabled: Annotated[bool, _said("the host gets no new work")]
    disabled_reason: Annotated[str | None, _said("why")]


class ServiceDrained(ServiceEnabled, frozen=True, kw_only=True):
    """Whether a service has new work, and how far its drain has come (since microversion 1.41)."""

    drain_state: Annotated[
        Literal["draining", "drained", "restarting"] | None, _said("how far its drain has come; null where it is not drained")
    ]
    drain_deadline: Annotated[str | None, _said("UTC: when what still runs is stopped")]
    drain_left: Annotated[int, _said("containers that it has still to deal with")]


class ServiceDown(Shown, frozen=True, kw_only=True):
    """Whether a service counts as down."""

    host: Annotated[str, _said("the host that it is on")]
    binary: Annotated[str, _said("its name, such as `zun-compute`")]
    forced_down: Annotated[bool, _said("it counts as down whatever it says itself")]


class Enabled(Shown, frozen=True, kw_only=True):
    """A service that was enabled or disabled."""

    service: ServiceEnabled


class Drained(Shown, frozen=True, kw_only=True):
    """A service that was enabled or drained."""

    service: ServiceDrained


class Forced(Shown, frozen=True, kw_only=True):
    """A service that counts as down, or no more."""

    service: ServiceDown


class Network(Shown, frozen=True, kw_only=True):
    """A network of Neutron that containers can use."""

    uuid: Annotated[str, _said("its identity")]
    name: Annotated[str | None, _said("its name")]
    project_id: Annotated[str | None, _said("whose it is")]
    user_id: Annotated[str | None, _said("who made it")]
    network_id: Annotated[str | None, _said("the engine's name for it")]
    neutron_net_id: Annotated[str, _said("Neutron's name for it")]


class Limits(Shown, frozen=True, kw_only=True):
    """The most that a project may have; -1 is no limit."""

    containers: Annotated[int, _said("how many")]
    cpu: Annotated[int, _said("cores")]
    memory: Annotated[int, _said("MiB")]
    disk: Annotated[int, _said("GiB")]


class InUse(Shown, frozen=True, kw_only=True):
    """A limit, and how much of it is in use."""

    limit: Annotated[int, _said("the most; -1 is none")]
    in_use: Annotated[float, _said("what there is")]


class Usages(Shown, frozen=True, kw_only=True):
    """The most that a project may have, and what it has."""

    containers: InUse
    cpu: InUse
    memory: InUse
    disk: InUse
