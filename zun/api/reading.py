"""Reading what a client sent, within bounds: whatever is wrong with its form is a clear 4xx here and a surprise nowhere else."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import falcon

from zun import errors

MAX_DEPTH = 32
MAX_QUERY_FIELDS = 100
MAX_DIGITS = 19

JSON = "application/json"

_TOO_DEEP = f"must not be nested more than {MAX_DEPTH} levels deep"
_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:]')

#: how the whole of a body is called where something is wrong with no part of it
WHOLE = "body"
#: where something is in a body: names and numbers, from the outside in
Place = tuple[str | int, ...]


def excerpt(text: object, limit: int = 64) -> str:
    """At most ``limit`` characters of something that a client sent, for an error message."""
    shown = str(text)
    return shown if len(shown) <= limit else shown[:limit] + "..."


def path(parts: Iterable[str | int]) -> str:
    """``mounts[0].size``, from its parts."""
    shown = ""
    for part in parts:
        shown += f"[{part}]" if isinstance(part, int) else f".{excerpt(part)}" if shown else excerpt(part)
    return shown


def query(request: falcon.Request) -> dict[str, str]:
    """The query string's parameters. Raises BadRequest for one given twice, or too many, SchemaValidationError for NUL and bad UTF-8."""
    try:
        # What is no UTF-8 becomes what no field can hold, and is refused by the field's name.
        pairs = parse_qsl(request.query_string, keep_blank_values=True, errors="surrogateescape", max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise errors.BadRequest(reason=f"The query string has more than {MAX_QUERY_FIELDS} parameters.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        _check_text(name, (name,))
        _check_text(value, (name,))
        if name in found:
            raise errors.BadRequest(reason=f"The query parameter '{excerpt(name)}' is given more than once.")
        found[name] = value
    return found


def body(request: falcon.Request, limit: int) -> dict[str, Any]:
    """The top-level JSON object of the body; nothing where there is no body, or JSON that is no object.

    Raises RequestTooLarge over ``limit`` bytes, UnsupportedMediaType for a body of another type, and what :func:`parse` raises.
    """
    if (request.content_length or 0) > limit:
        raise errors.RequestTooLarge(limit=limit)
    # Some servers pass a chunked body on without a length, and say that its end can be read.
    stream = request.stream if request.env.get("wsgi.input_terminated") else request.bounded_stream
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise errors.RequestTooLarge(limit=limit)
    if not data:
        return {}
    if (request.content_type or "").split(";")[0].strip().lower() != JSON:
        raise errors.UnsupportedMediaType()
    parsed = parse(data)
    return parsed if isinstance(parsed, dict) else {}


def unwrapped(query: Mapping[str, str], body: Mapping[str, Any], name: str, *, needed: bool) -> dict[str, Any]:
    """The object that is the only member of the body. Nothing of it may stand in the query, which ends up in logs.

    Raises SchemaValidationError; where it is not ``needed``, a body without any member is an empty one.
    """
    for stranger in query:
        raise errors.SchemaValidationError(field=excerpt(stranger), rule="is not a query parameter of this call")
    for stranger in body.keys() - {name}:
        raise errors.SchemaValidationError(field=excerpt(stranger), rule=f"is not known to this call, which takes '{name}'")
    if name not in body and not needed:
        return {}
    if not isinstance(body.get(name), dict):
        raise errors.SchemaValidationError(field=name, rule="is required, and must be an object")
    return dict(body[name])


def parse(data: bytes) -> Any:
    """JSON to the letter: no NaN, no Infinity, no doubled key, no NUL, no half of a surrogate pair, nothing deep or huge.

    Raises BadRequest, or SchemaValidationError where a field can be named.
    """
    # What is no UTF-8 becomes what no field can hold, and is refused by the field's name.
    text = data.decode("utf-8", "surrogateescape")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer)
    except RecursionError:
        _refuse(_deep(text), _TOO_DEEP)
    except ValueError as error:
        raise errors.BadRequest(reason=f"The request body is not valid JSON: {error}") from None
    _check_value(value)
    return value


def _deep(text: str) -> Place:
    """The outermost name under which a body is nested too deep even for the parser."""
    depth, last, name = 0, "", ""
    for found in _MARK.finditer(text):
        mark = found.group()
        depth += (mark in "{[") - (mark in "}]")
        if depth > MAX_DEPTH:
            break
        if depth == 1 and mark.startswith('"'):
            last = mark
        elif depth == 1 and mark == ":":
            name = last
    return (str(json.loads(name)),) if name else ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        ((doubled, _),) = Counter(name for name, _ in pairs).most_common(1)
        _check_text(doubled, (doubled,))
        raise ValueError(f"the key '{excerpt(doubled)}' is given more than once")
    return found


def _constant(text: str) -> float:
    """NaN and the infinities are no JSON; they are refused below, where the field has a name."""
    return math.nan


def _integer(text: str) -> int | float:
    """Reading an integer of a million digits would take minutes."""
    return int(text) if len(text) <= MAX_DIGITS else math.inf


def _check_value(value: Any) -> None:
    """One thing at a time: a body of half a million numbers is held once, not once more with their places."""
    pending: list[Iterator[tuple[Any, Place]]] = [iter([(value, ())])]
    while pending:
        found = next(pending[-1], None)
        if found is None:
            pending.pop()
            continue
        item, place = found
        if len(pending) > MAX_DEPTH:
            _refuse(place[:2], _TOO_DEEP)
        if isinstance(item, str):
            _check_text(item, place)
        elif isinstance(item, float):
            if not math.isfinite(item):
                _refuse(place, "must be a number that JSON knows, and not out of range")
        elif isinstance(item, list | dict):
            pending.append(_within(item, place))


def _within(whole: list[Any] | dict[str, Any], place: Place) -> Iterator[tuple[Any, Place]]:
    """What is in a list or an object and may be wrong, with its place."""
    for name, item in whole.items() if isinstance(whole, dict) else enumerate(whole):
        if isinstance(name, str):
            _check_text(name, (*place, name))
        if isinstance(item, str | float | list | dict):
            yield item, (*place, name)


def _check_text(text: str, place: Place) -> None:
    """No database, engine or answer can hold these."""
    if "\0" in text:
        _refuse(place, "must not contain NUL")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        _refuse(place, "must be valid UTF-8, and must not contain half of a surrogate pair")


def _refuse(place: Place, rule: str) -> NoReturn:
    name = path(place).replace("\0", "").encode("utf-8", "replace").decode()
    raise errors.SchemaValidationError(field=excerpt(name, 128) or WHOLE, rule=rule)
