"""Private registries of projects (REST contract, section 16)."""

from __future__ import annotations

from typing import Annotated, Any

from zun.domain import image, kinds
from zun.domain.model import Bounds, Entity, Field, Kind

#: bytes of a password before it is sealed; tokens of some registries have thousands
MAX_PASSWORD = 16_384

HIDDEN = "***"


def _hidden(value: str | None) -> str:
    return HIDDEN


def _domain(value: Any, bounds: Bounds) -> str:
    if not image.is_registry(value):
        raise ValueError("must be the name of a registry as images have it, such as 'registry.example.com' or 'localhost:5000'")
    return image.domain_of(value)


_DOMAIN = Kind("domain", kinds.text("domain", 1, 255).schema, _domain)
_NAME = kinds.text("name", 2, 255, kinds.NAME_PATTERN)
_USER = kinds.text("user name", 1, 255)
_PASSWORD = kinds.text("password", 1, MAX_PASSWORD)


class Registry(Entity, frozen=True, kw_only=True):
    """A registry that a project has an account in. The password is sealed (``conductor/vault.py``) and never shown."""

    name: Annotated[
        str | None, Field(doc="what its project calls it", create=_NAME, update=_NAME, shown=True, filter=True, length=255, index=True)
    ] = None
    project_id: Annotated[str, Field(doc="whose it is", shown=True, filter=True, length=255, index=True)]
    user_id: Annotated[str, Field(doc="who made it", shown=True, filter=True, length=255)]
    domain: Annotated[
        str,
        Field(
            doc="the registry's name as image references have it; the account is shown to no other",
            create=_DOMAIN,
            update=_DOMAIN,
            required=True,
            shown=True,
            filter=True,
            length=255,
        ),
    ]
    username: Annotated[str | None, Field(doc="name of the account", create=_USER, update=_USER, shown=True, filter=True, length=255)] = (
        None
    )
    password: Annotated[
        str | None,
        Field(
            doc="password of the account; always shown as three asterisks",
            create=_PASSWORD,
            update=_PASSWORD,
            shown=True,
            show=_hidden,
        ),
    ] = None

    def __repr__(self) -> str:
        return f"Registry(uuid={self.uuid!r}, domain={self.domain!r})"
