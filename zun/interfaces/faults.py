"""An error of the service on its way from one process to another: over RPC, and through a door."""

from __future__ import annotations

import msgspec

from zun import errors


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An error on its way."""

    code: str
    details: dict[str, str] = {}


def of(error: errors.ZunError) -> Fault:
    """The error, made ready to travel."""
    return Fault(code=error.code(), details=error.details)


def error(fault: Fault) -> errors.ZunError:
    """The error that has travelled. The other side may be of another release: what it names, or leaves out, need not be known here."""
    try:
        return errors.by_code()[fault.code](**fault.details)
    except KeyError:
        told = fault.details.get("reason") or ", ".join(f"{key}: {value}" for key, value in sorted(fault.details.items()))
        return errors.ZunError(reason=f"{fault.code} ({told})")
