"""Secrets as they lie in the database: sealed with keys of the configuration, each for one purpose.

A key is Fernet's (AES-128-CBC and HMAC-SHA256). The first one seals, all of them open, so keys can be replaced one after the other without
a moment in which something cannot be read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from zun import errors

#: parts a secret from what it is for, in what is sealed
_PART = "\0"


class Vault:
    """Seals and opens. ``keys`` is asked each time, so that a key that is added while the service runs is known to it."""

    def __init__(self, keys: Callable[[], Sequence[str]]) -> None:
        self._keys = keys

    def seal(self, secret: str, purpose: str) -> str:
        """The secret in a form that may be stored. It can be opened for the same purpose only. Raises NotOffered without a key."""
        return self._fernet().encrypt(f"{purpose}{_PART}{secret}".encode()).decode()

    def open(self, sealed: str, purpose: str, of: str) -> str:
        """The secret again. Raises SecretUnreadable, about ``of``, where no key opens it or it was sealed for something else."""
        try:
            kept, _, secret = self._fernet().decrypt(sealed.encode()).decode().partition(_PART)
        except InvalidToken:
            raise errors.SecretUnreadable(id=of) from None
        if kept != purpose:
            raise errors.SecretUnreadable(id=of)
        return secret

    def renew(self, sealed: str, of: str) -> str:
        """The same secret, sealed with the first key. Raises SecretUnreadable."""
        try:
            return self._fernet().rotate(sealed.encode()).decode()
        except InvalidToken:
            raise errors.SecretUnreadable(id=of) from None

    def _fernet(self) -> MultiFernet:
        keys = self._keys()
        if not keys:
            raise errors.NotOffered(field="password", why="this deployment has no keys to keep secrets with.")
        return MultiFernet([Fernet(key) for key in keys])


def checked(keys: Sequence[str], place: str) -> list[str]:
    """The keys, if they are keys. Raises ValueError that says which one of which ``place`` is none; never what it is."""
    for number, key in enumerate(keys, 1):
        try:
            Fernet(key)
        except ValueError:
            raise ValueError(f"number {number} in {place} is no key: it must be 32 bytes in URL-safe Base64") from None
    return list(keys)


class KeyFile:
    """Keys in a file, one a line, the newest first; only its owner may read it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> list[str]:
        """The keys; none where there is no file. Raises OSError for one that cannot be read, ValueError for what is no key."""
        if not self.path.exists():
            return []
        return checked([line.strip() for line in self.path.read_text().splitlines() if line.strip()], str(self.path))

    def ensure(self) -> None:
        """Have a key. Raises OSError, ValueError."""
        if not self():
            self.add()

    def add(self) -> None:
        """Put a new key before the others: from now on it seals, and they still open. Raises OSError, ValueError."""
        self._write([Fernet.generate_key().decode(), *self()])

    def keep_newest(self) -> None:
        """Forget all keys but the first, once nothing is sealed with them any more. Raises OSError, ValueError."""
        self._write(self()[:1])

    def _write(self, keys: Sequence[str]) -> None:
        partial = self.path.with_name(f"{self.path.name}.partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{key}\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())  # something is sealed with it at once: it must not be lost in a power cut
        partial.rename(self.path)
