"""Every call of the API, one row each: this table is what the API is. Dispatcher, policy rules and documents are read from it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from zun.api import (
    archives,
    capsules,
    container_actions,
    containers,
    discovery,
    events,
    images,
    networks,
    places,
    quotas,
    registries,
    shown,
    streams,
)
from zun.api.answers import Changing, Either, Inner, Many, One, Shows
from zun.api.arguments import (
    Attach,
    Commit,
    Create,
    CreateCapsule,
    Delete,
    DeleteCapsule,
    Detach,
    Disable,
    Drain,
    Enable,
    Ending,
    Events,
    ExecSize,
    Execute,
    ForceDown,
    Group,
    Kill,
    Limits,
    List,
    Logs,
    MakeNetwork,
    Nothing,
    OneService,
    Paging,
    PathOf,
    Pull,
    Rebuild,
    Rename,
    Search,
    Show,
    TerminalSize,
    Top,
    Usages,
)
from zun.api.call import Call
from zun.api.derive import Purpose, Strict
from zun.api.templates import Entry
from zun.domain.container import Container
from zun.domain.host_image import Image
from zun.domain.model import MAX_VERSION, MIN_VERSION, Entity, Version
from zun.domain.registry import Registry


class Who(enum.Enum):
    """Who passes a rule unless the operator says otherwise."""

    ANYBODY = "anybody, without a token"
    READER = "reader"
    MEMBER = "member"
    ADMIN = "admin"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call. The order of its checks is the dispatcher's (``api/app.py``)."""

    method: str
    path: str
    handler: Callable[[Call], Any]
    doc: str
    #: the policy rule, and who passes it by default
    rule: str | None
    who: Who
    #: status of success
    status: int = 200
    #: what is answered then (``api/answers.py``)
    shows: Shows = None
    #: when it answers 307 instead, with the address of a stream
    streams: str | None = None
    #: microversions in which the call exists
    since: Version = MIN_VERSION
    until: Version = MAX_VERSION
    #: the call's own options, the entity whose fields it takes, and where an unknown name is refused
    options: type[msgspec.Struct] = Nothing
    entity: type[Entity] | None = None
    purpose: Purpose | None = None
    strict: Strict = Strict.NOTHING
    #: finds the thing that the path names
    finds: Callable[[Call], Any] | None = None
    #: the lifecycle's verb; the state is checked before the arguments then
    verb: str | None = None
    #: the body is large, and its member ``data`` is a text of this form
    upload: Callable[[Call], Callable[..., Any]] | None = None
    #: needed besides the rule when all_projects is true
    all_projects: str | None = None
    #: the one member of the body that has all else in it
    wrapped: str | None = None

    @property
    def makes(self) -> bool:
        """Whether it makes something that has an address of its own."""
        return self.method == "POST" and (self.purpose is Purpose.CREATE or self.options in (CreateCapsule, Entry))


def _public(path: str, handler: Callable[[Call], Any], doc: str, shows: Shows) -> Route:
    return Route(method="GET", path=path, handler=handler, doc=doc, rule=None, who=Who.ANYBODY, shows=shows)


def _container(method: str, name: str, path: str, handler: Callable[[Call], Any], who: Who, doc: str, **more: Any) -> Route:
    """A row of a call on one container."""
    finds = None if path == "" else containers.find
    return Route(
        method=method, path=f"/v1/containers{path}", handler=handler, doc=doc, rule=f"container:{name}", who=who, finds=finds, **more
    )


def _act(verb: str, doc: str, options: type[msgspec.Struct] = Nothing, strict: Strict = Strict.NOTHING) -> Route:
    """A row of a verb that is accepted now and done later."""
    return _container(
        "POST", verb, f"/{{id}}/{verb}", containers.act, Who.MEMBER, doc, status=202, verb=verb, options=options, strict=strict
    )


def _ask(method: str, verb: str, handler: Callable[[Call], Any], who: Who, doc: str, **more: Any) -> Route:
    """A row of a verb that a host answers while the caller waits."""
    return _container(method, verb, f"/{{id}}/{verb}", handler, who, doc, verb=verb, **more)


def _capsule(method: str, name: str, path: str, handler: Callable[[Call], Any], who: Who, doc: str, **more: Any) -> Route:
    """A row of a call on capsules."""
    finds = None if path == "" else capsules.find
    return Route(method=method, path=f"/v1/capsules{path}", handler=handler, doc=doc, rule=f"capsule:{name}", who=who, finds=finds, **more)


def _place(path: str, handler: Callable[[Call], Any], rule: str, who: Who, doc: str, **more: Any) -> Route:
    """A row of a call on hosts, services or zones."""
    return Route(method="GET", path=f"/v1/{path}", handler=handler, rule=rule, who=who, doc=doc, **more)


def _service(
    method: str, name: str, path: str, handler: Callable[[Call], Any], options: type[msgspec.Struct], doc: str, **more: Any
) -> Route:
    """A row of a call that changes a service."""
    rule, path = f"zun-service:{name}", f"/v1/services{path}"
    return Route(method=method, path=path, handler=handler, rule=rule, who=Who.ADMIN, doc=doc, options=options, **more)


def _quota(method: str, path: str, handler: Callable[[Call], Any], rule: str, who: Who, doc: str, **more: Any) -> Route:
    """A row of a call on what a project may have."""
    finds = quotas.project if rule.startswith("quota:") else None
    return Route(method=method, path=f"/v1/{path}", handler=handler, rule=rule, who=who, doc=doc, finds=finds, **more)


def _network(method: str, name: str, path: str, handler: Callable[[Call], Any], doc: str, **more: Any) -> Route:
    """A row of a call on networks."""
    return Route(method=method, path=f"/v1/networks{path}", handler=handler, rule=f"network:{name}", who=Who.ADMIN, doc=doc, **more)


#: the last one in which security groups of a container are changed here; since then on its ports, in Neutron
_GROUPS = Version(1, 14)


def _registry(method: str, name: str, path: str, handler: Callable[[Call], Any], who: Who, doc: str, **more: Any) -> Route:
    """A row of a call on private registries."""
    finds = None if path == "" else registries.find
    return Route(
        method=method, path=f"/v1/registries{path}", handler=handler, doc=doc, rule=f"registry:{name}", who=who, finds=finds, **more
    )


def _image(method: str, name: str, path: str, handler: Callable[[Call], Any], who: Who, doc: str, **more: Any) -> Route:
    """A row of a call on images of hosts."""
    finds = None if path in ("", "/{id}/search") else images.find
    return Route(method=method, path=f"/v1/images{path}", handler=handler, doc=doc, rule=f"image:{name}", who=who, finds=finds, **more)


#: from microversion 1.4 on
_HOSTS = Version(1, 4)
#: what is ours begins here
_OURS = Version(1, 41)
_BOTH = Strict.QUERY | Strict.BODY

#: what calls answer
CONTAINER = One(containers.SHAPE)
STEPS: Mapping[str, Any] = {"events": Changing((MIN_VERSION, list[shown.Step]), (_OURS, list[shown.DetailedStep]))}
OF_IMAGE: Mapping[str, Any] = {"image_uuid": Annotated[str, Meta(description="the image that it was done to")]}
_ON: Mapping[str, Any] = {
    "cursor": Annotated[int, Meta(description="where the next question goes on")],
    "more": Annotated[bool, Meta(description="there is more than fits here")],
}
ACTION = One(container_actions.SHAPE, links=False, more=STEPS)
_MEMBERS: Mapping[str, Any] = {"containers": Inner(containers.SHAPE), "init_containers": Inner(containers.SHAPE)}
CAPSULE = Changing((MIN_VERSION, One(capsules.OLDER, more=_MEMBERS)), (capsules.RENAMED, One(capsules.SHAPE, more=_MEMBERS)))
CAPSULES = Changing(
    (MIN_VERSION, Many("capsules", capsules.OLDER, links=True, each=_MEMBERS)),
    (capsules.RENAMED, Many("capsules", capsules.SHAPE, links=True, each=_MEMBERS)),
)
REGISTRY = One(registries.SHAPE, under="registry")

# fmt: off
ROUTES: tuple[Route, ...] = (
    _public("/", discovery.versions, "Show the versions of the API.", shows=shown.ApiVersions),
    _public("/v1", discovery.resources, "Show the resources of the API.", shows=shown.ApiResources),
    _public("/openapi.json", discovery.description, "Describe the API in OpenAPI's form.", shows=shown.OpenApi),

    _container("POST", "create", "", containers.create, Who.MEMBER, "Create a container.",
               status=202, options=Create, entity=Container, purpose=Purpose.CREATE, strict=_BOTH, shows=CONTAINER),
    _container("GET", "get_all", "", containers.index, Who.READER, "List containers.",
               options=List, entity=Container, purpose=Purpose.FILTER, strict=Strict.QUERY,
               all_projects="container:get_all_all_projects", shows=Many("containers", containers.SHAPE)),
    _container("GET", "get_one", "/{id}", containers.show, Who.READER, "Show a container.",
               options=Show, all_projects="container:get_one_all_projects", shows=CONTAINER),
    _container("PATCH", "update", "/{id}", containers.update, Who.MEMBER, "Change a container.",
               entity=Container, purpose=Purpose.UPDATE, strict=Strict.BODY, verb="update", shows=CONTAINER),
    _container("DELETE", "delete", "/{id}", containers.delete, Who.MEMBER, "Delete a container.",
               status=204, options=Delete, strict=Strict.QUERY, all_projects="container:delete_all_projects"),

    _act("start", "Start a container."),
    _act("stop", "Stop a container.", Ending, Strict.QUERY),
    _act("reboot", "Restart a container.", Ending, Strict.QUERY),
    _act("rebuild", "Make a container anew, of its image or of another one; it stays as it is until the new one is known to be good.",
         Rebuild),
    _container("POST", "resize_container", "/{id}/resize_container", containers.resize, Who.MEMBER,
               "Give a container other limits, while it runs or not; the answer shows those from before.",
               status=202, entity=Container, purpose=Purpose.UPDATE, strict=Strict.BODY, verb="resize_container", since=Version(1, 19),
               shows=CONTAINER),
    _act("pause", "Freeze a container."),
    _act("unpause", "Thaw a container."),
    _act("kill", "Send a signal to a container.", Kill, Strict.BODY),

    _ask("GET", "logs", containers.logs, Who.READER, "Read a container's log.", options=Logs, strict=Strict.QUERY, shows=str,
         streams="With `follow` (1.41): where the log is told as it is written."),
    _ask("POST", "execute", containers.execute, Who.MEMBER, "Run a command in a container.", options=Execute, strict=Strict.QUERY,
               shows=containers.Executed),
    _ask("GET", "attach", streams.attach, Who.MEMBER, "Get the address of the terminal of a container that is interactive.", shows=str),
    _ask("POST", "resize", archives.resize, Who.MEMBER, "Give a container's terminal a size.", options=TerminalSize, strict=Strict.QUERY),
    _ask("POST", "execute_resize", archives.execute_resize, Who.MEMBER, "Give the terminal of a command a size.",
         options=ExecSize, strict=Strict.QUERY),
    _ask("GET", "get_archive", archives.get, Who.MEMBER, "Get files from a container, as a tar archive.", options=PathOf,
               shows=archives.Archive),
    _ask("POST", "put_archive", archives.put, Who.MEMBER, "Put the files of a tar archive into a container.", options=PathOf,
         upload=archives.put_form),
    _ask("GET", "top", containers.top, Who.READER, "List a container's processes.", options=Top, strict=Strict.QUERY,
               shows=containers.ProcessTable),
    _ask("GET", "stats", containers.stats, Who.READER, "Show what a container uses.", shows=shown.Usage),

    _container("GET", "actions", "/{id}/container_actions", container_actions.index, Who.READER, "List what was done to a container.",
               shows=Many("containerActions", container_actions.SHAPE, paged=False)),
    _container("GET", "actions", "/{id}/container_actions/{request_id}", container_actions.show, Who.READER,
               "Show how something went that was done to a container.", shows=ACTION),

    _ask("POST", "rename", containers.rename, Who.MEMBER, "Give a container another name.",
         options=Rename, strict=Strict.QUERY, until=Version(1, 13), shows=CONTAINER),
    _ask("GET", "network_list", networks.of_container, Who.READER, "List the networks that a container is in, with its addresses there.",
         since=Version(1, 13), shows=Changing((Version(1, 13), shown.AddressesOf), (Version(1, 18), shown.NetworksOf))),
    _ask("POST", "network_attach", networks.attach, Who.MEMBER, "Bring a container into another network.",
         options=Attach, strict=_BOTH, since=Version(1, 8)),
    _ask("POST", "network_detach", networks.detach, Who.MEMBER, "Take a container out of a network.",
         status=202, options=Detach, strict=Strict.QUERY, since=Version(1, 6)),
    _ask("POST", "add_security_group", networks.change_group, Who.MEMBER, "Put a container into a security group.",
         status=202, options=Group, strict=Strict.BODY, until=_GROUPS),
    _ask("POST", "remove_security_group", networks.change_group, Who.MEMBER, "Take a container out of a security group.",
         status=202, options=Group, strict=Strict.BODY, until=_GROUPS),

    _capsule("POST", "create", "", capsules.create, Who.MEMBER,
             "Create a capsule, which is several containers in one place, of a template or of a Kubernetes v1 Pod.",
             status=202, options=CreateCapsule, strict=_BOTH, shows=CAPSULE),
    _capsule("GET", "get_all", "", capsules.index, Who.READER, "List capsules.", options=List,
               shows=CAPSULES),
    _capsule("GET", "get", "/{id}", capsules.show, Who.READER, "Show a capsule.", shows=CAPSULE),
    _capsule("DELETE", "delete", "/{id}", capsules.delete, Who.MEMBER, "Delete a capsule with all its containers.",
             status=204, options=DeleteCapsule, all_projects="capsule:delete_all_projects"),
    _capsule("POST", "add_container", "/{id}/containers", capsules.add, Who.MEMBER, "Add a container to a capsule that lives.",
             status=202, options=Entry, strict=_BOTH, since=Version(1, 41), shows=CONTAINER),
    _capsule("DELETE", "remove_container", "/{id}/containers/{container}", capsules.remove, Who.MEMBER,
             "Take a container out of a capsule that lives on.", status=204, since=Version(1, 41)),

    _network("POST", "create", "", networks.create, "Let containers use a network of Neutron.", options=MakeNetwork, strict=_BOTH,
               shows=shown.Network),
    _network("DELETE", "delete", "/{id}", networks.delete, "Let containers use a network of Neutron no more.",
             status=204, since=Version(1, 27)),

    Route(method="GET", path="/v1/events", handler=events.index, rule="event:get_all", who=Who.READER, since=Version(1, 41),
          doc="Tell what happened to what the project has, in order, after a cursor.", options=Events, strict=Strict.QUERY,
          shows=Many("events", events.SHAPE, paged=False, more=_ON),
          streams="With `Accept: text/event-stream`: where events are told as they happen, after `since` or the header Last-Event-ID."),

    _place("services", places.services, "zun-service:get_all", Who.ADMIN, "List the processes of the service.",
               shows=Many("services", places.SERVICE, paged=False)),
    _service("PUT", "enable", "/enable", places.enable, Enable, "Let a host have new work.",
             shows=Changing((MIN_VERSION, shown.Enabled), (_OURS, shown.Drained))),
    _service("PUT", "disable", "/disable", places.disable, Disable, "Give a host no new work.", shows=shown.Enabled),
    _service("PUT", "drain", "/drain", places.drain, Drain, "Take a host out of service: no new work, and its containers are stopped.",
             status=202, since=_OURS, shows=shown.Drained),
    _service("PUT", "force_down", "/force_down", places.force_down, ForceDown, "Say that a host is down, or that no more.",
             shows=shown.Forced),
    _service("DELETE", "delete", "", places.forget, OneService, "Delete a service of a host that is not expected back."),
    _place("hosts", places.hosts, "host:get_all", Who.ADMIN, "List compute hosts.", options=Paging, since=_HOSTS,
               shows=Many("hosts", places.HOST, links=True)),
    _place("hosts/{id}", places.host, "host:get", Who.ADMIN, "Show a compute host.", since=_HOSTS, shows=One(places.HOST)),
    _place("availability_zones", places.zones, "availability_zones:get_all", Who.READER, "List availability zones.", options=Paging,
               shows=shown.Zones),

    _quota("GET", "quotas/{project}", quotas.show, "quota:get", Who.READER, "Show what a project may have.", options=Usages,
           shows=Either((shown.Limits, shown.Usages))),
    _quota("PUT", "quotas/{project}", quotas.update, "quota:update", Who.ADMIN, "Give a project limits of its own.",
           options=Limits, strict=_BOTH, shows=shown.Limits),
    _quota("DELETE", "quotas/{project}", quotas.delete, "quota:delete", Who.ADMIN, "Take a project's own limits from it."),
    _quota("GET", "quotas/{project}/defaults", quotas.defaults, "quota:get_default", Who.READER,
           "Show what a project may have that was given no limits.", shows=shown.Limits),
    _quota("GET", "quota_classes/{name}", quotas.show_class, "quota_class:get", Who.ADMIN, "Show the limits of a class of projects.",
               shows=shown.Limits),
    _quota("PUT", "quota_classes/{name}", quotas.update_class, "quota_class:update", Who.ADMIN, "Change the limits of a class of projects.",
           options=Limits, strict=_BOTH, shows=shown.Limits),

    _registry("POST", "create", "", registries.create, Who.MEMBER, "Keep the name of a registry and an account in it.",
              status=201, entity=Registry, purpose=Purpose.CREATE, strict=_BOTH, wrapped="registry", shows=REGISTRY),
    _registry("GET", "get_all", "", registries.index, Who.READER, "List registries.",
              options=List, entity=Registry, purpose=Purpose.FILTER, strict=Strict.QUERY, all_projects="registry:get_all_all_projects",
               shows=Many("registries", registries.SHAPE)),
    _registry("GET", "get_one", "/{id}", registries.show, Who.READER, "Show a registry, without its password.", shows=REGISTRY),
    _registry("PATCH", "update", "/{id}", registries.update, Who.MEMBER, "Change a registry or its account.",
              entity=Registry, purpose=Purpose.UPDATE, strict=_BOTH, wrapped="registry", shows=REGISTRY),
    _registry("DELETE", "delete", "/{id}", registries.delete, Who.MEMBER, "Forget a registry and its account.", status=204),

    _image("POST", "pull", "", images.pull, Who.ADMIN, "Have a host pull an image.",
           status=202, options=Pull, entity=Image, purpose=Purpose.CREATE, strict=_BOTH, shows=One(images.SHAPE)),
    _image("GET", "get_all", "", images.index, Who.ADMIN, "List images of hosts that the project has asked for.", options=Paging,
               shows=Many("images", images.SHAPE, links=True)),
    _image("GET", "get_one", "/{id}", images.show, Who.ADMIN, "Show an image of a host.", shows=One(images.SHAPE)),
    _image("DELETE", "delete", "/{id}", images.delete, Who.ADMIN, "Remove an image from its host."),
    _image("GET", "actions", "/{id}/image_actions", images.actions, Who.ADMIN, "List what was done to an image.", since=_OURS,
           shows=Many("imageActions", container_actions.SHAPE, paged=False, each=OF_IMAGE)),
    _image("GET", "actions", "/{id}/image_actions/{request_id}", images.action, Who.ADMIN,
           "Show how something went that was done to an image, or how far it has come.", since=_OURS,
           shows=One(container_actions.SHAPE, links=False, more={**STEPS, **OF_IMAGE})),
    _image("GET", "search", "/{id}/search", images.search, Who.READER, "Search a registry, or Glance, for images.",
           options=Search, strict=Strict.QUERY, shows=list[shown.FoundImage]),
    _ask("POST", "commit", images.commit, Who.MEMBER, "Make an image of a container.", status=202, options=Commit, strict=Strict.QUERY,
               shows=shown.Committed),
)
# fmt: on
