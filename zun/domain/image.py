"""What an image reference may look like, and what it means: the grammar of the distribution project's ``reference`` package.

``[domain/]path[:tag][@digest]``. A reference without a domain is of Docker's hub, there in ``library`` when it has one word, and a
reference with neither tag nor digest means the tag ``latest``.
"""

from __future__ import annotations

import re

import msgspec

from zun import errors

HUB = "docker.io"
#: other names of the hub that people write
_HUB_ALIASES = frozenset({"index.docker.io"})
#: the domain of images that are the service's own; requests may not name it
RESERVED = "zun.invalid"
DEFAULT_TAG = "latest"
MAX_NAME = 255

_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_WORD = "[a-z0-9]+"
_COMPONENT = rf"{_WORD}(?:(?:\.|_|__|-+){_WORD})*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """An image reference, taken apart and completed. It has a tag, a digest, or both; with both the digest decides."""

    domain: str
    path: str
    tag: str | None
    digest: str | None

    @property
    def name(self) -> str:
        """The repository, with its domain: ``docker.io/library/busybox``."""
        return f"{self.domain}/{self.path}"

    @property
    def version(self) -> str:
        """What chooses within the repository: the digest if there is one, else the tag."""
        return self.digest or self.tag or DEFAULT_TAG

    @property
    def exact(self) -> str:
        """The form that an engine finds an image by: ``docker.io/library/busybox:latest`` or ``...@sha256:...``, never both."""
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def parse(text: str, home: str = HUB, *, ours: bool = False) -> Reference:
    """Take a reference apart; one that names no registry is of the registry ``home``. Raises InvalidImage with the rule that it breaks.

    ``ours`` allows the service's own images too, for what it names itself.
    """
    if _IDENTIFIER.fullmatch(text):
        raise _invalid(text, "64 hexadecimal digits are an image's id, not its name")
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _invalid(text, "what follows '@' is not a digest such as sha256:<64 hexadecimal digits>")
    domain, rest = _domain(rest, domain_of(home))
    if domain.lower() == RESERVED and not ours:
        raise _invalid(text, f"'{RESERVED}' is the service's own")
    if not _DOMAIN.fullmatch(domain):
        raise _invalid(text, f"'{domain}' is not the name of a registry")
    path, colon, tag = rest.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise _invalid(text, "a tag has 1 to 128 letters, digits, '_', '.' and '-', and starts with neither '.' nor '-'")
    if not _PATH.fullmatch(path):
        raise _invalid(text, "a repository's name is made of lower-case letters and digits, parted by '/', '.', '_', '__' or '-'")
    if domain == HUB and "/" not in path:
        path = f"library/{path}"
    if len(domain) + 1 + len(path) > MAX_NAME:
        raise _invalid(text, f"a repository's name has at most {MAX_NAME} characters")
    return Reference(domain=domain, path=path, tag=tag or (None if digest else DEFAULT_TAG), digest=digest or None)


def split(text: str) -> tuple[str, str]:
    """A reference's repository as it is written, and what chooses within it: a digest, a tag, or the default one."""
    rest, _, digest = text.partition("@")
    head, slash, last = rest.rpartition("/")
    name, _, tag = last.partition(":")
    return head + slash + name, digest or tag or DEFAULT_TAG


def is_registry(text: str) -> bool:
    """Whether a reference can begin with this name of a registry: one word of small letters would pass for a part of the hub's path."""
    return _DOMAIN.fullmatch(text) is not None and _domain(f"{text}/x", "")[0] != "" and text.lower() != RESERVED


def names_registry(text: str) -> bool:
    """Whether a reference says which registry it is of."""
    return _domain(text, "")[0] != ""


def domain_of(text: str) -> str:
    """The name under which a registry's domain is compared: lower case, the hub's other names made one."""
    domain = text.lower()
    return HUB if domain in _HUB_ALIASES else domain


def _domain(text: str, home: str) -> tuple[str, str]:
    """Part a name into domain (``home`` if it names none) and rest. The first word is a domain only when it cannot be part of a path."""
    first, slash, rest = text.partition("/")
    if slash and (any(mark in first for mark in ".:") or first == "localhost" or first != first.lower()):
        return domain_of(first) if first.lower() in _HUB_ALIASES else first, rest
    return home, text


def _invalid(text: str, reason: str) -> errors.InvalidImage:
    return errors.InvalidImage(image=text, reason=reason)
