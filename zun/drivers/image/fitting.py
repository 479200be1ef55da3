"""Which images a host's engine can run."""

from __future__ import annotations

from zun import errors
from zun.domain import architecture
from zun.interfaces.runtime import EngineImage


def fitting(reference: str, held: EngineImage, host: str) -> EngineImage:
    """The image. Raises WrongArchitecture for one that the host does not run."""
    if not architecture.runs(host, held.architecture):
        raise errors.WrongArchitecture(image=reference, built=held.architecture, host=host)
    return held
