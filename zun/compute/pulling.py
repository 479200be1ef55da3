"""The image of a container, in the engine: which one it is, what opens its registry, fetched if the policy says so."""

from __future__ import annotations

from zun import errors
from zun.compute.job import Job, Opens
from zun.domain import image
from zun.domain.container import REGISTRIES, commit_of
from zun.domain.host_image import own_name
from zun.interfaces.images import Images, Source
from zun.interfaces.rpc import Access
from zun.interfaces.runtime import Credentials, EngineImage


def source(reference: str, registry_id: str | None, opens: Opens, default: Access | None) -> tuple[str, Credentials | None]:
    """The reference, completed, and what opens its registry: the account of the registry that was named, else that of this host's
    default registry. An account is for its own registry only. Raises InvalidImage, and what ``opens`` raises.
    """
    access = opens(registry_id) if registry_id is not None else default
    if access is None:
        return reference, None
    complete = image.parse(reference, home=access.domain)
    theirs = image.domain_of(complete.domain) == image.domain_of(access.domain)
    return str(complete), access.credentials if theirs else None


def fetch(job: Job) -> EngineImage:
    """Have the container's image in the engine. Raises ImagePullFailed, InvalidImage, WrongArchitecture, ImageServiceUnavailable."""
    container, kept = job.container, commit_of(job.container)
    if kept is not None:
        held = job.runtime.image(own_name(kept))
        if held is None:
            raise errors.ImagePullFailed(image=container.image, reason="it was made of a container, and is not on this host any more")
        return held
    policy = container.image_pull_policy or job.plugs.pull_policy
    brought = _driver(job).ensure(_source(job), policy, job.reporter.step("pull_image"))
    job.digest = brought.digest
    return brought.image


def held(job: Job) -> EngineImage | None:
    """The container's image, if the engine has it."""
    kept = commit_of(job.container)
    return _driver(job).held(_source(job)) if kept is None else job.runtime.image(own_name(kept))


def _driver(job: Job) -> Images:
    container = job.container
    driver = job.plugs.images.get(container.image_driver)
    if driver is None:
        raise errors.InvalidImage(image=container.image, reason=f"host has no image driver {container.image_driver!r}")
    return driver


def _source(job: Job) -> Source:
    container = job.container
    reference, credentials = container.image, None
    if container.image_driver == REGISTRIES:
        reference, credentials = source(container.image, container.registry_id, job.opens, job.plugs.default_registry)
    return Source(reference=reference, project_id=container.project_id, image_uuid=container.image_uuid, credentials=credentials)
