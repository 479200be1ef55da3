"""How other services of the cloud are reached: by adapters of keystoneauth, which find an endpoint and have the service's own token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oslo_config import cfg


def found(conf: cfg.ConfigOpts, group: str, session: Any, version: int) -> Callable[[], Any]:
    """What looks for a service, with that version of its API, and makes an adapter for it: by a session, and the options in a group.

    Its answers are those of the service, refusals too. It raises keystoneauth's ClientException where none is found.
    """
    from keystoneauth1 import exceptions, loading

    def find() -> Any:
        versions = {"min_version": str(version), "max_version": f"{version}.latest"}
        adapter = loading.load_adapter_from_conf_options(conf, group, session=session, raise_exc=False, **versions)
        endpoint = adapter.get_endpoint_data()
        if endpoint is None:
            raise exceptions.EndpointNotFound(f"no {adapter.service_type} with a version {version} of its API answers")
        # What an operator tells is, as what a catalog has, the address of the service: not that of the version.
        adapter.endpoint_override = endpoint.url
        return adapter

    return find
