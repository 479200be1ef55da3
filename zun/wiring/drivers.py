"""Which drivers there are on a host; who is none asks them only what they would refuse."""

from __future__ import annotations

from oslo_config import cfg

from zun.compute import cores
from zun.compute.job import Plugs
from zun.domain.image import is_registry
from zun.drivers.runtime.docker import DockerRuntime
from zun.drivers.runtime.docker_spec import Guards
from zun.interfaces.rpc import Access
from zun.interfaces.runtime import Credentials, Runtime
from zun.wiring import images, network, volumes


def docker(conf: cfg.ConfigOpts, name: str) -> DockerRuntime:
    """The Docker engine of this host."""
    return DockerRuntime(
        conf.docker.socket_path,
        name,
        timeout=conf.docker.default_timeout,
        pull_timeout=conf.docker.pull_timeout,
        memory_swap=conf.docker.default_memory_swap,
        guards=Guards(pids=conf.docker.pids_limit, log_size=conf.docker.log_max_size, log_files=conf.docker.log_max_files),
    )


def plugs(conf: cfg.ConfigOpts, runtime: Runtime) -> Plugs:
    """The drivers of this host. Raises ValueError for cores that it cannot have, and for what is no registry or image driver."""
    return Plugs(
        runtime=runtime,
        images=images.drivers(conf, runtime),
        network=network.driver(conf),
        volumes=volumes.driver(conf),
        pull_policy=conf.default_image_pull_policy,
        default_registry=default_registry(conf),
        cores=cores.read(conf.compute.cpu_dedicated_set, conf.compute.cpu_shared_set),
    )


def default_registry(conf: cfg.ConfigOpts) -> Access | None:
    """The registry of images whose names say none. Raises ValueError for a name that no registry can have."""
    options = conf.docker
    if not options.default_registry:
        return None
    if not is_registry(options.default_registry):
        raise ValueError(f"[docker] default_registry: {options.default_registry!r} cannot begin the name of an image")
    credentials = None
    if options.default_registry_username and options.default_registry_password:
        credentials = Credentials(
            domain=options.default_registry, username=options.default_registry_username, password=options.default_registry_password
        )
    return Access(domain=options.default_registry, credentials=credentials)
