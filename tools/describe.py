"""A JSON Schema in few words, for tables that people read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_SINCE = re.compile(r"(?:; |^)\(?since microversion (\d+\.\d+)\)?| \(since microversion (\d+\.\d+)\)")
_PLAIN = {"string": "text", "integer": "whole number", "number": "number", "boolean": "boolean", "null": "null", "object": "object"}
#: words of one choice that are written out
_MOST = 12


def kind(schema: Json) -> str:
    """What a value of the schema is, with its bounds: ``text of 2 to 255 characters or null``."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "allOf" in schema:
        return kind(schema["allOf"][0])
    if "enum" in schema:
        return _choice(schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema and "type" not in schema:
        found = " or ".join(kind(each) for each in schema["anyOf"] if not _is_digits(each))
        return f"{found}, or its digits" if any(map(_is_digits, schema["anyOf"])) else found
    types = schema.get("type", "anything")
    words = [_one(each, schema) for each in (types if isinstance(types, list) else [types])]
    return " or ".join(dict.fromkeys(words))


def _is_digits(schema: Json) -> bool:
    return str(schema.get("pattern", "")).startswith(("^[0-9]", "^0*[1-9]", "^[1-9]", "^-?[0-9]"))


def about(schema: Json) -> tuple[str, str]:
    """What the schema says of itself, and since which microversion there is such a thing (or nothing)."""
    text = str(schema.get("description", ""))
    since = _SINCE.search(text)
    return _SINCE.sub("", text).strip(), next((each for each in (since.groups() if since else ()) if each), "")


def members(schema: Json, place: str = "") -> Iterator[tuple[str, Json, bool]]:
    """Every member of an object and of the objects in it, by its place, and whether it is required."""
    for name, each in schema.get("properties", {}).items():
        yield f"{place}{name}", each, name in schema.get("required", ())
        inner, end = (each.get("items", {}), "[].") if "items" in each else (each, ".")
        yield from members(inner, f"{place}{name}{end}")


def _choice(values: list[Any]) -> str:
    words = [f"`{each}`" if isinstance(each, str) and each else "empty" if each == "" else str(each).lower() for each in values]
    known = list(dict.fromkeys("null" if each == "none" and None in values else each for each in words))
    if set(values) >= {"True", "False"}:
        return "a word such as `true`"
    return " or ".join(known) if len(known) <= _MOST else f"{', '.join(known[:_MOST])} and the like"


def _one(name: str, schema: Json) -> str:
    if name == "array":
        items = schema.get("items")
        most = f" of at most {schema['maxItems']}" if "maxItems" in schema else ""
        return f"list{most}" + (f" ({kind(items)})" if items else "")
    if name == "object" and isinstance(schema.get("additionalProperties"), dict) and "properties" not in schema:
        return f"object (of {kind(schema['additionalProperties'])})"
    return _PLAIN.get(name, name) + _bounds(name, schema)


def _bounds(name: str, schema: Json) -> str:
    if name in ("integer", "number"):
        return _between(schema.get("minimum"), schema.get("maximum"), "")
    if name == "string":
        return _between(schema.get("minLength") or None, schema.get("maxLength"), " characters")
    return ""


def _between(low: Any, high: Any, what: str) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f" of at least {low}{what}"
    if low is None:
        return f" of at most {high}{what}"
    return f" of {low}{what}" if low == high else f" of {low} to {high}{what}"
