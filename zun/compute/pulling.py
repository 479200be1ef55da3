"""The image of a container, in the engine: which one it is, what opens its registry, fetched if the policy says so."""

from __future__ import annotations

from zun import errors
from zun.compute.job import Job, Opens
from zun.domain import image
from zun.domain.host_image import own_name
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
    """Have the container's image in the engine. Raises ImagePullFailed, InvalidImage, WrongArchitecture."""
    container = job.container
    if container.image_uuid is not None:
        held = job.runtime.image(own_name(container.image_uuid))
        if held is None:
            raise errors.ImagePullFailed(image=container.image, reason="it was made of a container, and is not on this host any more")
        return held
    driver = job.plugs.images.get(container.image_driver)
    if driver is None:
        raise errors.InvalidImage(image=container.image, reason=f"host has no image driver {container.image_driver!r}")
    reference, credentials = _source(job)
    policy = container.image_pull_policy or job.plugs.pull_policy
    held = driver.ensure(reference, policy, credentials, job.reporter.step("pull_image"))
    job.digest = held.digests.get(image.parse(reference).name)
    return held


def held(job: Job) -> EngineImage | None:
    """The container's image, if the engine has it."""
    container = job.container
    return job.runtime.image(_source(job)[0] if container.image_uuid is None else own_name(container.image_uuid))


def _source(job: Job) -> tuple[str, Credentials | None]:
    return source(job.container.image, job.container.registry_id, job.opens, job.plugs.default_registry)
