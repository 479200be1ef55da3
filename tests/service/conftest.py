"""The live service, and the official client, for the tests of this folder."""

from tests.service.aio import engine, own_service, service
from tests.service.official import capsule, openstack

__all__ = ["capsule", "engine", "openstack", "own_service", "service"]
