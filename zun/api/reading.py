"""Reading what a client sent, within bounds: whatever is wrong with its form is a clear 4xx here and a surprise nowhere else."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import falcon

from zun import errors

MAX_DEPTH = 32
MAX_QUERY_FIELDS = 100
MAX_DIGITS = 19

JSON = "application/json"


def excerpt(text: object, limit: int = 64) -> str:
    """At most ``limit`` characters of something that a client sent, for an error message."""
    shown = str(text)
    return shown if len(shown) <= limit else shown[:limit] + "..."


def query(request: falcon.Request) -> dict[str, str]:
    """The query string's parameters. Raises BadRequest for one given twice, too many, bad UTF-8 or NUL."""
    try:
        pairs = parse_qsl(request.query_string, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise errors.BadRequest(reason="The query string is not valid UTF-8 or has too many parameters.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise errors.BadRequest(reason=f"The query parameter '{excerpt(name)}' is given more than once.")
        _check_text(name)
        _check_text(value)
        found[name] = value
    return found


def body(request: falcon.Request, limit: int) -> dict[str, Any]:
    """The top-level JSON object of the body; nothing where there is no body, or JSON that is no object.

    Raises RequestTooLarge over ``limit`` bytes, UnsupportedMediaType for a body of another type, BadRequest for bad JSON.
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


def parse(data: bytes) -> Any:
    """JSON to the letter: no NaN, no Infinity, no doubled key, no NUL, no half of a surrogate pair, nothing deep or huge.

    Raises BadRequest.
    """
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_integer
        )
    except RecursionError:
        raise errors.BadRequest(reason=f"The request body is nested more than {MAX_DEPTH} levels deep.") from None
    except UnicodeDecodeError:
        raise errors.BadRequest(reason="The request body is not valid UTF-8.") from None
    except ValueError as error:
        raise errors.BadRequest(reason=f"The request body is not valid JSON: {error}") from None
    _check_value(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key '{excerpt(doubled)}' is given more than once")
    return found


def _constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is out of range")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number is out of range")
    return int(text)


def _check_value(value: Any) -> None:
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise errors.BadRequest(reason=f"The request body is nested more than {MAX_DEPTH} levels deep.")
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, list):
            pending.extend((inner, depth + 1) for inner in item)
        elif isinstance(item, dict):
            pending.extend((key, depth) for key in item)
            pending.extend((inner, depth + 1) for inner in item.values())


def _check_text(text: str) -> None:
    """No database, engine or answer can hold these."""
    if "\0" in text:
        raise errors.BadRequest(reason="The request contains a NUL character.")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise errors.BadRequest(reason="The request contains half of a Unicode surrogate pair.")
