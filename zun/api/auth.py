"""HTTP basic authentication for the embedded service. It speaks to the API as Keystone's middleware does: in headers.

The parsing and the check are oslo.middleware's; its own middleware is not used, because it reads a global configuration and answers every
error of the application behind it with 401.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg
from webob import exc as webob_exc  # type: ignore[import-untyped]

from zun import errors
from zun.api import failures, paths

LOG = logging.getLogger(__name__)

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: The only X- headers of a client that reach the API. All others could assert an identity.
HARMLESS = frozenset(
    {"HTTP_X_OPENSTACK_REQUEST_ID", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO", "HTTP_X_IDEMPOTENCY_KEY"}
)
#: Identity headers that do not begin with X-.
IDENTITY = frozenset({"HTTP_OPENSTACK_SYSTEM_SCOPE", "REMOTE_USER"})

MOST_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class User:
    """What a user of the password file is."""

    project_id: str
    roles: tuple[str, ...]


def users(lines: Iterable[str]) -> dict[str, User]:
    """The users by name, from ``<user>:<project id>:<role>[,<role>...]``. Raises ValueError for a line of another form."""
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        project, _, roles = rest.partition(":")
        if not (name.strip() and project.strip() and roles.strip()):
            raise ValueError(f"[basic_auth] users: the entry of '{name}' is not of the form '<user>:<project id>:<role>[,<role>...]'")
        found[name.strip()] = User(project.strip(), tuple(role.strip() for role in roles.split(",") if role.strip()))
    return found


class BasicAuth:
    """The middleware. Without a right password the answer is 401, except on the public paths."""

    def __init__(self, app: WSGI, conf: cfg.ConfigOpts) -> None:
        """Raises ValueError for a wrong entry of ``users``. The password file is read when it is first needed."""
        self._app = app
        self._passwords = Passwords(Path(conf.basic_auth.user_file), conf.basic_auth.remember)
        self._users = users(conf.basic_auth.users)
        self._retry_after = conf.api.retry_after

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve a request."""
        strip(environ)
        header = environ.pop("HTTP_AUTHORIZATION", None)
        if paths.is_public(environ):
            return self._app(environ, start_response)
        try:
            name = self._passwords.verified(header)
        except Exception as error:
            return failures.of(error, self._retry_after).send(start_response)
        environ.update(_headers(name, self._users.get(name)))
        return self._app(environ, start_response)


def strip(environ: dict[str, Any], also_harmless: Collection[str] = ()) -> None:
    """Take away whatever a client says of its own identity."""
    for key in [key for key in environ if tells_identity(key) and key not in also_harmless]:
        del environ[key]


def tells_identity(key: str) -> bool:
    """Whether a header in WSGI's form may say who the caller is."""
    return (key.startswith("HTTP_X_") and key not in HARMLESS) or key in IDENTITY


def _headers(name: str, user: User | None) -> Mapping[str, str]:
    known = {"HTTP_X_IDENTITY_STATUS": "Confirmed", "HTTP_X_USER_ID": name, "HTTP_X_USER_NAME": name}
    if user is None:
        return known
    return {
        **known,
        "HTTP_X_PROJECT_ID": user.project_id,
        "HTTP_X_PROJECT_NAME": user.project_id,
        "HTTP_X_ROLES": ",".join(user.roles),
    }


class Passwords:
    """A file of user names and bcrypt hashes. It is read again when it changes.

    bcrypt is slow by design (0.23 s of CPU at its usual cost 12), so a verified password is remembered for ``remember`` seconds, as a hash
    with a key that only this process has.
    """

    def __init__(self, path: Path, remember: float) -> None:
        self._path = path
        self._remember = remember
        self._lock = threading.Lock()
        self._version: tuple[int, int] | None = None
        self._entries: dict[str, str] = {}
        self._verified: dict[bytes, float] = {}
        self._key = os.urandom(32)

    def verified(self, header: str | None) -> str:
        """The user's name. Raises Unauthorized for a missing, malformed or wrong header, OSError where there is no password file."""
        # Not for who has a Keystone: the library brings 3 MB along.
        from oslo_middleware import basic_auth

        try:
            name, password = basic_auth.parse_token(basic_auth.parse_header({} if header is None else {"HTTP_AUTHORIZATION": header}))
            entry = self._entry(name)
            digest = hmac.digest(self._key, b"\0".join((entry.encode(), password)), hashlib.sha256)
            if not self._remembers(digest):
                basic_auth.auth_entry(entry, password)
                self._keep(digest)
        except (webob_exc.HTTPException, ValueError):
            # ValueError is bcrypt's word for a password that it cannot hash, or an entry that is no hash.
            raise errors.Unauthorized() from None
        return name

    def _entry(self, name: str) -> str:
        found = self._path.stat()
        version = (found.st_mtime_ns, found.st_size)
        with self._lock:
            if version != self._version:
                lines = self._path.read_text(encoding="utf-8").splitlines()
                self._entries = {line.split(":", 1)[0]: line.strip() for line in lines if ":" in line}
                self._verified.clear()
                self._version = version
            entry = self._entries.get(name)
        if entry is None:
            raise errors.Unauthorized()
        return entry

    def _remembers(self, digest: bytes) -> bool:
        with self._lock:
            until = self._verified.get(digest)
        return until is not None and time.monotonic() < until

    def _keep(self, digest: bytes) -> None:
        with self._lock:
            if len(self._verified) >= MOST_REMEMBERED:
                self._verified.clear()
            self._verified[digest] = time.monotonic() + self._remember
