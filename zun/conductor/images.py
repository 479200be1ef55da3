"""Images on hosts, as users ask for them: pulled, made of containers, removed, searched for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from zun import errors
from zun.conductor import image_choice, image_desk, journal, registries, telling
from zun.conductor.journal import Clock
from zun.domain import image as references
from zun.domain import lifecycle
from zun.domain.action import Action, ActionState, Caller
from zun.domain.container import GLANCE, REGISTRIES, Container
from zun.domain.event import What
from zun.domain.host import COMPUTE, Host, Service, is_up
from zun.domain.host_image import Image, ImageState
from zun.domain.registry import Registry
from zun.domain.sandbox import Sandbox
from zun.interfaces.images import Images
from zun.interfaces.rpc import Agents
from zun.interfaces.runtime import FoundImage
from zun.interfaces.store import Page, Store, Transaction


class HostImages:
    """Everything that is done to images on hosts."""

    def __init__(
        self,
        store: Store,
        agents: Agents,
        drivers: Mapping[str, Images],
        *,
        clock: Clock,
        service_down_time: int,
        poke: Callable[[str | None], None],
    ) -> None:
        self._store = store
        self._agents = agents
        self._drivers = drivers
        self._clock = clock
        self._service_down_time = service_down_time
        self._poke = poke

    def pull(self, caller: Caller, reference: str, host: str, registry: str | None = None) -> Image:
        """Accept that a host (name or uuid) shall have an image. ``registry`` (name or uuid) is where a short name is, and what opens it.

        Raises InvalidImage, InvalidValue for an unknown host or another registry's image, RegistryNotFound, ImageExists.
        """
        self._check(reference)
        repo, tag = references.split(reference)

        def write(tx: Transaction) -> Image:
            found = tx.find(Host, {"hostname": host}) or tx.find(Host, {"uuid": host.lower()})
            if not found:
                raise errors.InvalidValue(field="host", rule="is no compute host of this deployment")
            used = self._opening(tx, caller, registry, reference)
            hostname = found[0].hostname
            tx.lock(f"images:{hostname}")
            if tx.count(Image, {"host": hostname, "repo": repo, "tag": tag, "kept": False, "image_driver": REGISTRIES}):
                raise errors.ImageExists(repo=repo, tag=tag, host=hostname)
            return self._accept(tx, caller, Image(host=hostname, repo=repo, tag=tag, registry_id=used, **self._owner(caller)), "pull")

        return self._told(self._store.settle(write))

    def commit(self, caller: Caller, container: Container, repository: str, tag: str | None) -> Image:
        """Accept that an image shall be made of a container. One whose name says a registry is sent there, with the project's account if
        it has one; any other becomes an image of the project's in Glance, under this uuid; or, where there is no Glance, is kept on the
        container's host for this project.

        Raises InvalidImage, InvalidValue, InvalidStateException, ContainerNotFound, ImageServiceUnavailable.
        """
        repo, version = references.split(repository)
        if repo != repository and (tag is not None or "@" in repository):
            raise errors.InvalidValue(field="repository", rule="must have neither a digest, nor a tag besides 'tag'")
        reference = f"{repo}:{version if tag is None else tag}"
        references.parse(reference)
        pushed = references.names_registry(reference)
        driver = REGISTRIES if pushed or GLANCE not in self._drivers else GLANCE
        kept = not pushed and driver == REGISTRIES
        _check_status(container)
        image_choice.driver_of(self._drivers, driver).check_target(caller)

        def write(tx: Transaction) -> Image:
            found = tx.get(Container, container.uuid)
            if found is None or found.host is None:
                raise errors.ContainerNotFound(id=container.uuid)
            _check_status(found)
            row = Image(
                host=found.host,
                repo=repo,
                tag=references.split(reference)[1],
                status=ImageState.COMMITTING,
                kept=kept,
                image_driver=driver,
                registry_id=self._account(tx, found, reference) if pushed else None,
                **self._owner(caller),
            )
            return self._accept(tx, caller, row, "commit", found)

        return self._told(self._store.settle(write))

    def delete(self, caller: Caller, image: Image) -> None:
        """Accept that an image shall leave its host. Raises ImageInUse, ImageBusy, ImageNotFound."""

        def write(tx: Transaction) -> Image:
            hold(tx, image.uuid)
            found = tx.get(Image, image.uuid)
            if found is None:
                raise errors.ImageNotFound(id=image.uuid)
            if found.status is ImageState.COMMITTING:
                raise errors.ImageBusy(id=found.uuid, state="being made of a container")
            if _used(tx, found):
                raise errors.ImageInUse(id=found.uuid)
            if found.status is ImageState.DELETING:
                return found
            for action in journal.open_actions(tx, found.uuid):
                # What a host has in hand it gives up by itself.
                if action.state is ActionState.QUEUED:
                    given_up = tx.save(journal.ended(action, self._clock(), failed=True))
                    telling.of_image_action(tx, What.FAILED, given_up, found, journal.GIVEN_UP)
            found = telling.change_image(tx, found, caller.request_id, status=ImageState.DELETING, status_reason=None)
            self._enqueue(tx, caller, found, "delete")
            return found

        self._told(self._store.settle(write))

    def search(self, caller: Caller, driver: str, term: str, exact: bool) -> list[FoundImage]:
        """What an image driver finds: at once, where all hosts would find the same, with the caller's rights; else on any host that is up.

        Raises NotOffered, InvalidImage, ImageSearchFailed, RpcUnavailable, ImageServiceUnavailable.
        """
        searching = image_choice.driver_of(self._drivers, driver)
        searching.check(term)
        if searching.central:
            return searching.search(term, exact, caller)
        with self._store.read() as tx:
            services = tx.find(Service, {"binary": COMPUTE})
        hosts = [service.host for service in services if is_up(service, self._clock(), self._service_down_time)]
        if not hosts:
            raise errors.RpcUnavailable(target="any compute host", seconds=0)
        return self._agents.on(hosts[0]).search_images(driver, term, exact)

    # -- how -------------------------------------------------------------------------------------

    def _check(self, reference: str) -> None:
        image_choice.driver_of(self._drivers, REGISTRIES).check(reference)

    def _owner(self, caller: Caller) -> dict[str, Any]:
        return {"uuid": journal.new_uuid(), "project_id": caller.project_id, "user_id": caller.user_id}

    def _opening(self, tx: Transaction, caller: Caller, asked: str | None, reference: str) -> str | None:
        if asked is None:
            return None
        registry = registries.named(tx, caller.project_id, asked)
        registries.check_domain(registry, reference)
        registries.hold(tx, registry.uuid)
        return registries.current(tx, registry.uuid).uuid

    def _account(self, tx: Transaction, container: Container, reference: str) -> str | None:
        """The container's own registry, if the image is to go there, or the project's oldest one of that domain."""
        domain = references.domain_of(references.parse(reference).domain)
        found = [row for row in tx.find(Registry, {"project_id": container.project_id}) if references.domain_of(row.domain) == domain]
        chosen = next((row for row in found if row.uuid == container.registry_id), found[0] if found else None)
        if chosen is None:
            return None
        registries.hold(tx, chosen.uuid)
        return registries.current(tx, chosen.uuid).uuid

    def _accept(self, tx: Transaction, caller: Caller, image: Image, verb: str, container: Container | None = None) -> Image:
        added = telling.add_image(tx, image, caller.request_id)
        self._enqueue(tx, caller, added, verb, container)
        return added

    def _enqueue(self, tx: Transaction, caller: Caller, image: Image, verb: str, container: Container | None = None) -> Action:
        return image_desk.enqueue(
            tx,
            image,
            verb,
            self._clock(),
            request_id=caller.request_id,
            project_id=caller.project_id,
            user_id=caller.user_id,
            container_uuid=container.uuid if container else None,
        )

    def _told(self, image: Image) -> Image:
        journal.nudge(self._poke, image.host)
        return image


def _check_status(container: Container) -> None:
    if container.status not in lifecycle.VERBS["commit"].allowed:
        raise errors.InvalidStateException(verb="commit", id=container.uuid, state=container.status.value)


def hold(tx: Transaction, image_uuid: str) -> None:
    """Keep an image from being deleted, or from being used anew, until the transaction ends."""
    tx.lock(f"image:{image_uuid}")


def committed(tx: Transaction, project_id: str, reference: str) -> Image | None:
    """The image that a project has made of a container under this name, the newest one; a name that says a registry is never one."""
    if references.names_registry(reference) or "@" in reference:
        return None
    repo, tag = references.split(reference)
    named = {"project_id": project_id, "repo": repo, "tag": tag, "kept": True, "status": ImageState.AVAILABLE}
    return next(iter(tx.find(Image, named, Page(limit=1, descending=True))), None)


def located(tx: Transaction, sandbox: Sandbox, container: Container, registry: str | None) -> tuple[Sandbox, Container]:
    """A new container with the place where its image is: the registry (name or uuid) that was asked for, or the host that keeps what its
    project has made of a container under that name. Raises RegistryNotFound, SeveralRegistries, InvalidValue.
    """
    if registry is not None:
        if container.image_driver != REGISTRIES:
            raise errors.InvalidValue(field="registry", rule=f"has no images of the driver '{container.image_driver}'")
        row = registries.named(tx, container.project_id, registry)
        registries.check_domain(row, container.image)
        registries.hold(tx, row.uuid)
        return sandbox, replace(container, registry_id=registries.current(tx, row.uuid).uuid)
    made = committed(tx, container.project_id, container.image) if container.image_driver == REGISTRIES else None
    if made is None:
        return sandbox, container
    if container.requested_host not in (None, made.host):
        raise errors.InvalidValue(field="host", rule="does not have this image, which was made of a container on another host")
    hold(tx, made.uuid)
    kept = tx.get(Image, made.uuid)
    if kept is None or kept.status is not ImageState.AVAILABLE:
        raise errors.StaleRow(entity="Image", id=made.uuid)
    return replace(sandbox, requested_host=made.host), replace(container, image_uuid=made.uuid, requested_host=made.host)


def _used(tx: Transaction, image: Image) -> bool:
    """Whether a container on its host is made of it, or to be made of it."""
    if image.image_driver != REGISTRIES:
        return False
    if image.kept:
        return tx.count(Container, {"image_uuid": image.uuid}) > 0
    exact = references.parse(image.reference).exact
    return any(_reference(tx, each) == exact for each in tx.find(Container, {"host": image.host}))


def _reference(tx: Transaction, container: Container) -> str | None:
    registry = tx.get(Registry, container.registry_id) if container.registry_id else None
    if container.image_uuid is not None:
        return None
    return references.parse(container.image, home=registry.domain if registry else references.HUB).exact
