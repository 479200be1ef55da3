"""What is wrong with a request, said so that a person understands it. A value that was sent is never repeated, only names are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError

from zun.api.reading import excerpt, path
from zun.domain.model import Version

_TYPES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def of(error: ValidationError, version: Version) -> tuple[str, str]:
    """The path of the field in question, and the rule that it breaks."""
    instance: Any = error.instance
    schema: Any = error.schema
    if error.validator == "required":
        wanted: Any = error.validator_value
        missing = next(name for name in wanted if name not in instance)
        return path([*error.absolute_path, missing]), "is required"
    if error.validator == "additionalProperties" and error.validator_value is False:
        known = schema.get("properties", {})
        unknown = next(name for name in instance if name not in known)
        return path([*error.absolute_path, excerpt(unknown)]), f"is not known to this call at microversion {version}"
    if error.validator == "anyOf":
        closest = _closest(error)
        if closest is not None:
            return of(closest, version)
    return path(error.absolute_path) or "body", _rule(error)


def _closest(error: ValidationError) -> ValidationError | None:
    """Of several forms that a value may have, the broken rule of the one whose type it has; None if it has none of the types."""
    strangers = {
        broken.relative_schema_path[0] for broken in error.context or () if broken.validator == "type" and not broken.relative_path
    }
    return next((broken for broken in error.context or () if broken.relative_schema_path[0] not in strangers), None)


def _rule(error: ValidationError) -> str:
    say = _RULES.get(str(error.validator))
    return say(error.validator_value) if say else f"breaks the rule '{error.validator}'"


def _either(words: Iterable[str]) -> str:
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else last


def _types(value: Any) -> str:
    names = [value] if isinstance(value, str) else value
    return _either(_TYPES.get(name, name) for name in names)


def _alternatives(forms: Any) -> str:
    named = [form["type"] for form in forms if "type" in form]
    return "must be " + _either(_TYPES.get(name, name) for names in named for name in ([names] if isinstance(names, str) else names))


def _exactly_one(forms: Any) -> str:
    return "must have exactly one of " + ", ".join(f"'{name}'" for form in forms for name in form.get("required", ()))


_RULES: Mapping[str, Callable[[Any], str]] = {
    "type": lambda value: f"must be {_types(value)}",
    "enum": lambda value: "must be one of " + ", ".join("null" if word is None else f"'{word}'" for word in value),
    "pattern": lambda value: f"must match the pattern {value}",
    "minLength": lambda value: f"must have at least {value} character(s)",
    "maxLength": lambda value: f"must have at most {value} characters",
    "minimum": lambda value: f"must be at least {value}",
    "maximum": lambda value: f"must be at most {value}",
    "minItems": lambda value: f"must have at least {value} item(s)",
    "maxItems": lambda value: f"must have at most {value} items",
    "maxProperties": lambda value: f"must have at most {value} keys",
    "format": lambda value: f"must be an address in the form {value}",
    "anyOf": _alternatives,
    "oneOf": _exactly_one,
}
