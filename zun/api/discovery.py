"""What there is: the versions of the API and, below the only one, its resources (REST contract, section 1)."""

from __future__ import annotations

from typing import Any

from zun.api.call import Call
from zun.domain.model import MAX_VERSION, MIN_VERSION, Json

RESOURCES = "services containers images networks hosts capsules availability_zones quotas quota_classes registries".split()

DESCRIPTION = "Zun runs application containers as a resource of an OpenStack cloud."


def versions(call: Call) -> dict[str, Any]:
    """``GET /``."""
    version = {
        "id": "v1",
        "links": [{"href": f"{call.host_url}/v1/", "rel": "self"}],
        "status": "CURRENT",
        "max_version": str(MAX_VERSION),
        "min_version": str(MIN_VERSION),
    }
    return {"name": "OpenStack Zun API", "description": DESCRIPTION, "versions": [version], "default_version": version}


def description(call: Call) -> Json:
    """``GET /openapi.json``: of the microversion that the header asks for, or of the newest."""
    return call.parts.describe(call.version)


def resources(call: Call) -> dict[str, Any]:
    """``GET /v1``."""
    return {
        "id": "v1",
        "media_types": [{"base": "application/json", "type": "application/vnd.openstack.zun.v1+json"}],
        "links": [
            {"href": f"{call.host_url}/v1/", "rel": "self"},
            {"href": "https://docs.openstack.org/api-ref/application-container/", "rel": "describedby", "type": "text/html"},
        ],
        **{
            name: [
                {"href": f"{call.host_url}/v1/{name}/", "rel": "self"},
                {"href": f"{call.host_url}/{name}/", "rel": "bookmark"},
            ]
            for name in RESOURCES
        },
    }
