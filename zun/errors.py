"""Every error of the service, once: its code, its HTTP status, whether trying again may help.

An error is raised with keyword arguments that fill its ``text``; those arguments travel with it over RPC, so that the process that answers
the user says exactly what the process that failed has seen. Codes and statuses follow the REST contract, section 3.
"""

from __future__ import annotations

import re
from typing import ClassVar


class ZunError(Exception):
    """The root of all errors that a person may see. Raised as itself it is a fault of ours: 500."""

    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    text: ClassVar[str] = "{reason}"

    def __init__(self, **details: object) -> None:
        self.details: dict[str, str] = {key: str(value) for key, value in details.items()}
        super().__init__(self.text.format(**self.details))

    @classmethod
    def code(cls) -> str:
        """The class name in kebab-case behind the service's name: ``container.over-quota``."""
        return "container." + re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()


# --- 400: what the client sent -------------------------------------------------------------------


class BadRequest(ZunError):
    status = 400


class SchemaValidationError(BadRequest):
    text = "Invalid input for field '{field}': {rule}"


class InvalidValue(BadRequest):
    text = "Invalid value for '{field}': {rule}"


class InvalidParamInVersion(BadRequest):
    text = "'{field}' needs microversion {since} or later; the request was made at {version}."


class NotOffered(BadRequest):
    """The request is sound, but this deployment lacks the service or the driver's ability that it needs."""

    text = "'{field}' cannot be honoured: {why}"


class PortNotUsable(BadRequest):
    text = "Port {id} cannot be used: {why}"


class VolumeNotUsable(BadRequest):
    text = "Volume {id} cannot be used: {why}"


class SecurityGroupNotFound(BadRequest):
    """400 and not 404, as the contract has it."""

    text = "Security group {id} could not be found."


class AlreadyAttached(BadRequest):
    text = "Container {id} is in {what} already."


class NotAttached(BadRequest):
    text = "Container {id} is not in {what}."


class InvalidImage(BadRequest):
    text = "Image '{image}' cannot be used: {reason}"


class WrongArchitecture(InvalidImage):
    text = "Image '{image}' is built for {built}, and its host runs programs for {host}."


class NoSuchPath(BadRequest):
    text = "There is no {path} in container {id}."


class InvalidArchive(BadRequest):
    text = "The archive cannot be unpacked at {path}: {reason}"


class ArchiveBrokenOff(BadRequest):
    text = "The archive was broken off in the middle."


class NotInteractive(BadRequest):
    text = "Container {id} was not created with interactive=true, so there is nothing to attach to."


class ArchiveTooLarge(BadRequest):
    text = "What is at the path is larger than this deployment lets out at a time."


class NoSuchExec(BadRequest):
    text = "There is no command {exec_id} in container {id} that {what}."


# --- 401, 403, 404, 405, 406, 409, 413, 415 ------------------------------------------------------


class Unauthorized(ZunError):
    status = 401
    text = "The request you have made requires authentication."


class PolicyNotAuthorized(ZunError):
    status = 403
    text = "Policy doesn't allow {rule} to be performed."


class ExternalNetworkAttachForbidden(ZunError):
    status = 403
    text = "Network {id} is external and not shared: policy doesn't allow containers in it."


class NewVolumeForbidden(ZunError):
    """The volume service does not let the project have another volume. ``reason`` is its own sentence."""

    status = 403
    text = "No volume of {size} GiB can be made: {reason}"


class OverQuota(ZunError):
    status = 403
    text = "Quota exceeded for {resource}: requested {requested}, in use {in_use}, limit {limit}."


class NotFound(ZunError):
    status = 404


class ContainerNotFound(NotFound):
    text = "Container {id} could not be found."


class CapsuleNotFound(NotFound):
    text = "Capsule {id} could not be found."


class HostNotFound(NotFound):
    text = "Compute host {id} could not be found."


class ServiceNotFound(NotFound):
    text = "There is no service {binary} on host {host}."


class NetworkNotFound(NotFound):
    text = "Network {id} could not be found: {why}"


class PortNotFound(NotFound):
    text = "Port {id} could not be found."


class VolumeNotFound(NotFound):
    text = "Volume {id} could not be found."


class ActionNotFound(NotFound):
    text = "Action with request id {id} could not be found."


class RegistryNotFound(NotFound):
    text = "Registry {id} could not be found."


class ImageNotFound(NotFound):
    text = "Image {id} could not be found."


class MarkerNotFound(NotFound):
    text = "The marker {id} could not be found."


class EventsGone(ZunError):
    """What a watcher asks for is no longer kept, so he has missed something, or it never was: he looks at what there is, and goes on."""

    status = 410
    text = "Not all events after {cursor} are kept; those after {oldest} are. Go on from {newest}, then list what there is now."


class UnsupportedVersion(ZunError):
    """The call does not exist at the microversion asked for, or the microversion does not exist."""

    status = 406


class Conflict(ZunError):
    status = 409


class IdempotencyKeyInUse(Conflict):
    text = "This idempotency key was used for another request less than 24 hours ago."


class IdempotentResultGone(Conflict):
    text = "What was made under this idempotency key, {id}, has been deleted since. Use another key to make another."


class InvalidStateException(Conflict):
    text = "Cannot {verb} {what} {id} in {state} state"

    def __init__(self, **details: object) -> None:
        super().__init__(**{"what": "container", **details})


class InCapsule(Conflict):
    text = "Container {id} is part of capsule {capsule}: it is deleted with the capsule, or removed from it."


class LastOfCapsule(Conflict):
    text = "Container {id} cannot be removed from capsule {capsule}, which would do nothing any more: delete the capsule."


class SeveralMatches(Conflict):
    text = "Several {what} are called {name}: use the uuid."

    def __init__(self, **details: object) -> None:
        super().__init__(**{"what": "containers", **details})


class NoNetwork(Conflict):
    text = "The project has no network that a container could be in, and nobody shares one with it."


class NameUnchanged(Conflict):
    text = "Container {id} is called {name} already."


class SeveralRegistries(Conflict):
    text = "Several registries are called {name}: use the uuid."


class RegistryInUse(Conflict):
    text = "Registry {id} is used by {count} container(s) or image(s)."


class ImageExists(Conflict):
    text = "Image {repo}:{tag} on host {host} has been asked for already."


class ImageInUse(Conflict):
    text = "Image {id} is used by a container."


class ImageBusy(Conflict):
    text = "Image {id} is {state}: it can be deleted when that has ended."


class NameInUse(Conflict):
    text = "A container called {name} exists already."


class ExecTimeout(Conflict):
    text = "The command did not end within {seconds} seconds and was ended."


class TooManyTickets(Conflict):
    text = "Container {id} has {limit} streams of this kind that have not been fetched already."


class TooManyWatchers(Conflict):
    text = "The project has {limit} streams of events that have not been fetched already."


class HostNotUp(Conflict):
    text = "Host {host} is not up, so it cannot {verb} container {id} now."


class HostDraining(Conflict):
    text = "Cannot {verb} {what} {id}: its host is being taken out of service."


class HostInUse(Conflict):
    text = "Host {host} has {count} container(s). Delete them, or say that the host is down and delete them, before its service."


class Superseded(Conflict):
    text = "Another agent has begun a life as host {host}."


class NotRunning(Conflict):
    """The engine refuses a verb because of the state that the container is in just now."""

    text = "Container {id}: {reason}"


class LimitsRefused(Conflict):
    """The engine will not set the limits that were asked for; the container keeps those that it had."""

    text = "Container {id} keeps its limits. {reason}"


class CoresNotSettled(Conflict):
    """One change of the cores that a container has to itself follows the other."""

    text = "Container {id} is still being given other cores; ask again when that is done."


class InsufficientCapacity(Conflict):
    text = "Host {host} has no room for {resource}: requested {requested}, free {free}."


class ClaimRefused(InsufficientCapacity):
    """The account of another service says so. ``reason`` is its own sentence."""

    text = "Placement has no room on host {host}: {reason}"


class RequestTooLarge(ZunError):
    status = 413
    text = "The request body may not be larger than {limit} bytes."


class UnsupportedMediaType(ZunError):
    status = 415
    text = "The request body must be application/json."


# --- what the world does to us -------------------------------------------------------------------


class ServiceUnavailable(ZunError):
    """Something that we stand on does not answer just now; the same call may go through later."""

    status = 503
    retryable = True
    #: who does not answer, if who asks may know: another service of the cloud
    service: ClassVar[str | None] = None


class EngineUnavailable(ServiceUnavailable):
    text = "The container engine does not answer: {reason}"


class TooManyStreams(ServiceUnavailable):
    text = "The host has {limit} streams open already."


class TooManyArchives(ServiceUnavailable):
    text = "As many archives are being moved as this service moves at a time."


class StoreUnavailable(ServiceUnavailable):
    text = "The database does not answer: {reason}"


class StoreTooNew(ZunError):
    text = "The database is at revision {found}, of which this release knows nothing (its newest is {newest}): a newer release has used it."


class DatabaseOutdated(ZunError):
    text = "The database is not at revision {newest}, that of this release: run 'zun-manage db upgrade'."


class IdentityUnavailable(ServiceUnavailable):
    service = "identity service"
    text = "The identity service does not answer."


class NetworkUnavailable(ServiceUnavailable):
    service = "network service"
    text = "The network service does not answer: {reason}"


class InventoryUnavailable(ServiceUnavailable):
    service = "placement service"
    text = "Placement does not answer: {reason}"


class VolumesUnavailable(ServiceUnavailable):
    service = "volume service"
    text = "The volume service does not answer: {reason}"


class ImageServiceUnavailable(ServiceUnavailable):
    service = "image service"
    text = "The image service does not answer: {reason}"


class RpcUnavailable(ServiceUnavailable):
    text = "No answer from {target} within {seconds} seconds."


class EngineError(ZunError):
    """The engine answered, and the answer is no. ``reason`` is the engine's own sentence."""

    text = "The container engine refused: {reason}"


class NetworkRefused(ZunError):
    """The network service answered, and the answer is no. ``reason`` is its own sentence."""

    text = "The network service refused: {reason}"


class ImageServiceRefused(ZunError):
    """The image service answered, and the answer is no. ``reason`` is its own sentence."""

    text = "The image service refused: {reason}"


class BindingFailed(ZunError):
    text = "Port {port} could not be bound to host {host}: {reason}"


class PortNotActive(ZunError):
    text = "Port {port} did not become active within {seconds} seconds after it was plugged on host {host}."


class WiringFailed(ZunError):
    text = "Port {port} could not be plugged: {reason}"


class VolumesRefused(ZunError):
    """The volume service answered, and the answer is no. ``reason`` is its own sentence."""

    text = "The volume service refused: {reason}"


class VolumeFailed(ZunError):
    """A volume could not be had in a container, or taken off its host."""

    text = "Volume {id}: {reason}"


class ImagePullFailed(ZunError):
    text = "Image '{image}' could not be pulled: {reason}"


class ImagePushFailed(ZunError):
    text = "Image '{image}' could not be pushed: {reason}"


class ImageSearchFailed(ZunError):
    """A registry could not be searched, or does not search."""

    status = 400
    text = "Nothing could be searched for '{term}': {reason}"


class SearchUnavailable(ServiceUnavailable):
    text = "The registry cannot be searched: {reason}"


class SecretUnreadable(ZunError):
    """None of the configured keys opens what is stored."""

    text = "The stored password of registry {id} can be read with none of the service's keys."


class OfContainer(ZunError):
    """What went wrong with one of the containers that are done together."""

    text = "Container {name}: {reason}"


class NoSuchObject(ZunError):
    """The engine knows no object that carries this uuid."""

    status = 404
    text = "No such container: {id} in {engine}"


class NoValidHost(ZunError):
    """No host can take the sandbox. ``reason`` names the filter that left none."""

    text = "There are not enough hosts available. {reason}"


class Cancelled(ZunError):
    """A delete overtook the work; what was made is being undone."""

    text = "Given up, because the container is being deleted."


# --- storage -------------------------------------------------------------------------------------


class StaleRow(ZunError):
    """Compare and swap lost: somebody changed the row since it was read. Read it again and decide anew."""

    retryable = True
    text = "{entity} {id} was changed by somebody else."


class Duplicate(ZunError):
    text = "{entity} with the same {key} exists."


def by_code() -> dict[str, type[ZunError]]:
    """Every error class by its code, for the RPC codec."""
    found: dict[str, type[ZunError]] = {}
    pending: list[type[ZunError]] = [ZunError]
    while pending:
        cls = pending.pop()
        found[cls.code()] = cls
        pending.extend(cls.__subclasses__())
    return found
