"""The forms that values take in requests: schema and meaning together (REST contract, sections 4 and 5)."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from zun.domain.model import Bounds, Json, Kind

TRUE = frozenset({"true", "t", "1", "on", "y", "yes"})
FALSE = frozenset({"false", "f", "0", "off", "n", "no"})

#: bounds on what the contract leaves open, so that no request is without a limit
MAX_ENTRIES = 1000
MAX_TEXT = 65_536

NAME_PATTERN = "^[a-zA-Z0-9][a-zA-Z0-9_.-]+$"
HOST_PATTERN = "^[a-zA-Z0-9-._]*$"


def fixed(name: str, schema: Json, load: Any = None) -> Kind:
    """A kind whose schema depends on no operator's bounds; without ``load`` the value is taken as it is."""
    return Kind(name, lambda bounds: schema, load or (lambda value, bounds: value))


def _or_null(kind: Kind) -> Kind:
    def schema(bounds: Bounds) -> Json:
        return {"anyOf": [kind.schema(bounds), {"type": "null"}]}

    return Kind(kind.name, schema, lambda value, bounds: None if value is None else kind.load(value, bounds))


def _or_empty(kind: Kind) -> Kind:
    """As the kind, or empty or null: a form of a web page was left blank."""

    def schema(bounds: Bounds) -> Json:
        return {"anyOf": [kind.schema(bounds), {"enum": ["", None]}]}

    return Kind(kind.name, schema, lambda value, bounds: kind.load(value, bounds) if value else None)


def text(name: str, low: int = 0, high: int = MAX_TEXT, pattern: str | None = None) -> Kind:
    """A string of ``low`` to ``high`` characters that matches ``pattern``; NUL never passes, no engine or database can hold it."""
    schema: Json = {"type": "string", "minLength": low, "maxLength": high}
    schema["pattern"] = pattern or "^[^\\u0000]*$"
    return fixed(name, schema)


def optional_text(name: str, low: int = 0, high: int = MAX_TEXT, pattern: str | None = None) -> Kind:
    """As :func:`text`, or null."""
    return _or_null(text(name, low, high, pattern))


def choice(name: str, *values: str) -> Kind:
    """One of a few words."""
    return fixed(name, {"type": "string", "enum": list(values)})


def whole(name: str, low: int = 0, high: int = 2**31 - 1) -> Kind:
    """An integer or its digits; the limits hold for the number that the digits say. An empty string or null is "not given"."""
    schema: Json = {
        "anyOf": [
            {"type": "integer", "minimum": low, "maximum": high},
            {"type": "string", "pattern": "^[0-9]*$", "maxLength": 18},
            {"type": "null"},
        ]
    }
    return fixed(name, schema, lambda value, bounds: _whole(value, low, high))


def _whole(value: Any, low: int, high: int) -> int | None:
    if value is None or value == "":
        return None
    number = int(value)
    if not low <= number <= high:
        raise ValueError(f"must be between {low} and {high}")
    return number


def _bounded_number(name: str, low: str, high: str, integer: bool) -> Kind:
    """A number within the operator's bounds, or its digits; null is "not given"."""

    def schema(bounds: Bounds) -> Json:
        limits = {"minimum": getattr(bounds, low), "maximum": getattr(bounds, high)}
        digits = "^[0-9]+$" if integer else "^[0-9]*(\\.[0-9]+)?$"
        return {
            "anyOf": [
                {"type": "integer" if integer else "number", **limits},
                {"type": "string", "pattern": digits, "minLength": 1, "maxLength": 18},
                {"type": "null"},
            ]
        }

    def load(value: Any, bounds: Bounds) -> float | int | None:
        if value is None:
            return None
        number = int(value) if integer else float(value)
        if not math.isfinite(number) or not getattr(bounds, low) <= number <= getattr(bounds, high):
            raise ValueError(f"must be between {getattr(bounds, low)} and {getattr(bounds, high)}")
        return number

    return Kind(name, schema, load)


def _truth(words: tuple[str, ...]) -> Kind:
    schema: Json = {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": list(words)}]}
    return fixed("boolean", schema, lambda value, bounds: value if isinstance(value, bool) else value.lower() in TRUE)


#: B1, B2, B3 and B4 of the contract, section 4
BOOLEAN = _truth(("True", "true", "False", "false"))
BOOLEAN_QUERY = _truth(
    (
        "True",
        "true",
        "TRUE",
        "False",
        "false",
        "FALSE",
        "1",
        "0",
        "ON",
        "On",
        "on",
        "OFF",
        "Off",
        "off",
        "YES",
        "Yes",
        "yes",
        "NO",
        "No",
        "no",
    )
)
BOOLEAN_STRICT = fixed("boolean", {"type": ["boolean", "null"]}, lambda value, bounds: bool(value))


def _lenient_truth(value: Any, bounds: Bounds) -> bool:
    word = str(value).lower()
    if word in TRUE:
        return True
    if word in FALSE or word == "":
        return False
    raise ValueError("must be a boolean word such as 'true' or 'false'")


BOOLEAN_LIST = fixed("boolean", {"type": ["boolean", "string"], "maxLength": 5}, _lenient_truth)

NAME = optional_text("name", 2, 255, NAME_PATTERN)
NEW_NAME = text("name", 2, 255, NAME_PATTERN)
IMAGE = text("image reference", 2, 255, "[a-zA-Z0-9][a-zA-Z0-9_.-]")
HOSTNAME = text("host name", 1, 63, HOST_PATTERN)
HOST = text("host", 1, 255, HOST_PATTERN)
HOST_OR_UUID = text("host", 2, 255, HOST_PATTERN)
ZONE = optional_text("availability zone", 1, 255)
IDEMPOTENCY_KEY = text("idempotency key", 1, 255, "^[!-~]+$")
NETWORK_ID = text("network", 2, 255)
NETWORK_NAME = optional_text("network name", 2, 255)
RUNTIME = optional_text("runtime", 1, 32, "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$")
TAG = text("tag", 1, 128, "^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
REGISTRY = text("registry", 2, 255, NAME_PATTERN)
WORKDIR = optional_text("directory", 0, 255)
BINARY = text("binary", 1, 64, HOST_PATTERN)
REASON = text("reason", 1, 255)
CPU = _bounded_number("cpu", "min_cpu", "max_cpu", integer=False)
MEMORY = _bounded_number("memory", "min_memory", "max_memory", integer=True)
DISK = _bounded_number("disk", "min_disk", "max_disk", integer=True)
#: of a quota; -1 is none
LIMIT = fixed(
    "limit",
    {
        "anyOf": [
            {"type": "integer", "minimum": -1, "maximum": 2**31 - 1},
            {"type": "string", "pattern": "^-?[0-9]+$", "maxLength": 18},
        ]
    },
    lambda value, bounds: _whole(value, -1, 2**31 - 1),
)
CPU_POLICY = choice("CPU policy", "dedicated", "shared")


#: what there may be; which of them a deployment has is another question, with an answer of its own
IMAGE_DRIVERS = ("docker", "glance")


def _image_driver(value: Any, bounds: Bounds) -> str | None:
    return None if value in (None, "None") else value


IMAGE_DRIVER = Kind(
    "image driver",
    lambda bounds: {
        "anyOf": [{"type": "string", "enum": [*dict.fromkeys((*bounds.image_drivers, *IMAGE_DRIVERS)), "None"]}, {"type": "null"}]
    },
    _image_driver,
)
REBUILD_IMAGE = _or_empty(IMAGE)
REBUILD_DRIVER = _or_empty(IMAGE_DRIVER)
PULL_POLICY = fixed(
    "pull policy",
    {"type": ["string", "null"], "enum": ["never", "always", "ifnotpresent", "Never", "Always", "IfNotPresent", None]},
    lambda value, bounds: value and value.lower(),
)


# --- lists and objects ---------------------------------------------------------------------------

SCALAR: Json = {"type": ["string", "number", "boolean", "null"], "maxLength": MAX_TEXT}


def word(value: Any) -> str:
    """A scalar as the text that a shell or an environment would show."""
    if value is None:
        return ""
    return str(value)


def _words(value: Any, bounds: Bounds) -> list[str]:
    words = [word(item) for item in value or ()]
    if any("\0" in word for word in words):
        raise ValueError("must not contain NUL")
    return words


WORDS = fixed("list of words", {"type": ["array", "null"], "maxItems": MAX_ENTRIES, "items": SCALAR}, _words)


def _split(value: Any, bounds: Bounds) -> list[str]:
    """A command line taken apart as a shell would; nothing is run by one."""
    if value is None:
        return []
    try:
        return shlex.split(value)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {error}") from None


COMMAND_LINE = fixed("command line", {"type": ["string", "null"], "maxLength": MAX_TEXT, "pattern": "^[^\\u0000]*$"}, _split)


_SIGNALS = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF"
    " WINCH IO PWR SYS"
).split()


def _signal(value: Any, bounds: Bounds) -> str:
    """A signal's plain upper-case name; the numbers are Linux's on every architecture that containers run on."""
    if value in (None, "None"):
        return "KILL"
    word = str(value).upper().removeprefix("SIG")
    if word.isdecimal() and 1 <= int(word) <= len(_SIGNALS):
        return _SIGNALS[int(word) - 1]
    if word not in _SIGNALS:
        raise ValueError("must be the name or the number of a signal, such as 'SIGKILL', 'TERM' or '9'")
    return word


SIGNAL = fixed("signal", {"type": ["string", "integer", "null"], "maxLength": 16}, _signal)


def _tail(value: Any, bounds: Bounds) -> int | None:
    """A number of lines; whatever is no number means all of them (None)."""
    return int(value) if str(value).isdecimal() and len(str(value)) <= 9 else None


TAIL = fixed("number of lines", {"type": ["string", "integer", "null"], "maxLength": 32}, _tail)


def _since(value: Any, bounds: Bounds) -> datetime:
    """Seconds since 1970, or a time as logs write it; UTC, without a zone as everywhere.

    What a log's own time stamps say of nanoseconds is cut off: who goes on from one may see its line again, and misses none.
    """
    try:
        if stamp := re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d{0,3}Z", value, re.ASCII):
            return datetime.fromisoformat(stamp[1]) + timedelta(seconds=float(stamp[2] or 0))
        if re.fullmatch("[0-9]{1,12}", value):
            return datetime.fromtimestamp(int(value), UTC).replace(tzinfo=None)
        return datetime.strptime(value, "%Y-%m-%d %H:%M:%S,%f")
    except (ValueError, OverflowError, OSError):
        raise ValueError("must be seconds since 1970 or a time such as '2024-05-01 12:30:00,000'") from None


SINCE = fixed("time", {"type": "string", "maxLength": 32}, _since)
TIMEOUT = whole("seconds")
DRAIN_TIMEOUT = whole("seconds", 0, 86_400)
#: clients send the word None for what they were not given
PS_ARGS = fixed(
    "arguments of ps", optional_text("", 0, 255).schema(Bounds()), lambda value, bounds: None if value in ("", "None") else value
)
SHELL_COMMAND = Kind("command line", text("command line", 1).schema, _split)
EXACT_TEXT = text("text", 0, 255)
EXACT_NUMBER = fixed("whole number", {"type": "string", "pattern": "^[0-9]+$", "maxLength": 18}, lambda value, bounds: int(value))
PAGE_LIMIT = fixed("number of items", {"type": "string", "pattern": "^0*[1-9][0-9]*$", "maxLength": 18}, lambda value, bounds: int(value))
CURSOR = EXACT_NUMBER

#: values of a filter, parted by commas
MOST_WANTED = 100


def _among(value: Any, known: Iterable[str] | None) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(value.split(",")))
    if len(wanted) > MOST_WANTED:
        raise ValueError(f"must not have more than {MOST_WANTED} values")
    if known is None:
        wanted = tuple(word.lower() for word in wanted)
        if not all(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", word) for word in wanted):
            raise ValueError("must be uuids, parted by commas")
    elif not set(wanted) <= set(known):
        raise ValueError(f"must be among {', '.join(known)}, parted by commas")
    return wanted


def one_of(name: str, words: Iterable[str]) -> Kind:
    """Some of a few words, parted by commas."""
    known = tuple(str(word) for word in words)
    return fixed(name, {"type": "string", "maxLength": 4096}, lambda value, bounds: _among(value, known))


#: verbs, parted by commas; one that there is not finds nothing
VERBS = fixed(
    "verbs", {"type": "string", "pattern": "^[a-z_]+(,[a-z_]+)*$", "maxLength": 1024}, lambda value, bounds: tuple(value.split(","))
)
REQUEST_ID = text("request id", 1, 64, "^[!-~]+$")
UUIDS = fixed("uuids", {"type": "string", "maxLength": 4096}, lambda value, bounds: _among(value, None))
SORT_DIRECTION = choice("direction", "asc", "desc")
ANYTHING = fixed("anything", {})
#: what is in it is checked member by member
TEMPLATE = fixed("template", {"type": ["object", "string"]})
FILE_PATH = text("path", 1, 4096)
TERMINAL_SIDE = fixed(
    "number of characters",
    {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {"type": "string", "pattern": "^0*[1-9][0-9]{0,3}$", "maxLength": 18}]},
    lambda value, bounds: int(value),
)
EXEC_ID = text("id of a command", 64, 64, "^[a-f0-9]*$")
