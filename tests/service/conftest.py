"""The live service, for the tests of this folder."""

from tests.service.aio import engine, own_service, service

__all__ = ["engine", "own_service", "service"]
