"""A Protocol's calls as bytes and back, by its annotations alone.

Adding a method to a Protocol of ``zun.interfaces.rpc`` is all that it takes to have it on the wire. Answers are either a value or an error
of ``zun.errors``; an exception of any other kind is logged where it happened and crosses as a plain 500.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast, get_type_hints

import msgspec

from zun import errors
from zun.interfaces import faults
from zun.interfaces.faults import Fault

LOG = logging.getLogger(__name__)

P = TypeVar("P")

#: How a transport carries a call: method name, encoded arguments, whether an answer is awaited. Returns the encoded answer.
Send = Callable[[str, bytes, bool], bytes]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """An answer on its way: a value, still encoded, or a fault."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class _Method:
    arguments: type[msgspec.Struct]
    returns: Any
    cast: bool


class Codec(Generic[P]):
    """Both ends of one Protocol."""

    def __init__(self, protocol: type[P]) -> None:
        self._protocol = protocol
        self._methods = _methods(protocol)  # type: ignore[arg-type]  # a class is hashable

    def client(self, send: Send) -> P:
        """An object with the Protocol's methods, each of which encodes its arguments and decodes the answer."""
        calls = {name: self._call(name, method, send) for name, method in self._methods.items()}
        return cast(P, type(f"{self._protocol.__name__}Client", (), calls)())

    def serve(self, target: P, name: str, body: bytes) -> bytes:
        """Do an encoded call on ``target``; never raises."""
        try:
            method = self._methods[name]
        except KeyError:
            fault = Fault(code=errors.ZunError.code(), details={"reason": f"{name} is not known to the release that is asked"})
            return msgspec.json.encode(Envelope(fault=fault))
        try:
            arguments = msgspec.json.decode(body, type=method.arguments)
            answer = getattr(target, name)(**{field: getattr(arguments, field) for field in arguments.__struct_fields__})
            envelope = Envelope(value=msgspec.Raw(msgspec.json.encode(answer)))
        except errors.ZunError as error:
            envelope = Envelope(fault=faults.of(error))
        except Exception as error:
            LOG.exception("%s failed", name)
            envelope = Envelope(fault=Fault(code=errors.ZunError.code(), details={"reason": f"{type(error).__name__} in {name}"}))
        return msgspec.json.encode(envelope)

    def _call(self, name: str, method: _Method, send: Send) -> Callable[..., Any]:
        fields = method.arguments.__struct_fields__

        def call(_client: object, *args: Any, **kwargs: Any) -> Any:
            given = dict(zip(fields, args, strict=False)) | kwargs
            answer = send(name, msgspec.json.encode(method.arguments(**given)), not method.cast)
            if method.cast:
                return None
            envelope = msgspec.json.decode(answer, type=Envelope)
            if envelope.fault is not None:
                raise faults.error(envelope.fault)
            return msgspec.json.decode(envelope.value, type=method.returns)

        return call


@functools.cache
def _methods(protocol: type) -> Mapping[str, _Method]:
    """By name. Described once for all codecs of a Protocol: that, and what msgspec makes of new structs, takes more than most calls."""
    functions = inspect.getmembers(protocol, inspect.isfunction)
    return {name: _describe(name, function) for name, function in functions if not name.startswith("_")}


def _describe(name: str, function: Callable[..., Any]) -> _Method:
    hints = get_type_hints(function)
    parameters = [parameter for parameter in inspect.signature(function).parameters.values() if parameter.name != "self"]
    arguments = msgspec.defstruct(
        f"{name}_arguments",
        [
            (each.name, hints[each.name]) if each.default is each.empty else (each.name, hints[each.name], each.default)
            for each in parameters
        ],
    )
    return _Method(arguments, hints["return"], getattr(function, "__cast__", False))
