"""Configuration files as OpenStack's services read them, rendered from dictionaries: section, option, value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Value = str | int | bool | Sequence[str]
Settings = Mapping[str, Mapping[str, Value]]


def render(settings: Settings) -> str:
    """The text of a file. A list becomes one option with its items between commas. Raises ValueError for a value of several lines."""
    return "\n".join("\n".join([f"[{section}]", *_lines(options)]) + "\n" for section, options in settings.items())


def merged(*layers: Settings) -> Settings:
    """All sections and options of the layers; a later one has the last word on an option."""
    result: dict[str, dict[str, Value]] = {}
    for layer in layers:
        for section, options in layer.items():
            result.setdefault(section, {}).update(options)
    return result


def _lines(options: Mapping[str, Value]) -> list[str]:
    return [f"{option} = {_text(option, value)}" for option, value in options.items()]


def _text(option: str, value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value) if isinstance(value, str | int) else ",".join(value)
    if "\n" in text:
        raise ValueError(f"the value of {option} has more than one line")
    # oslo.config takes $ for the beginning of another option's name.
    return text.replace("$", "$$")
