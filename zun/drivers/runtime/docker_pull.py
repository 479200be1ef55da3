"""Fetching an image through Docker, and sending one, line by line, with an end to the waiting and a way out of it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import msgspec

from zun import errors
from zun.domain import image
from zun.drivers.runtime.docker_http import DockerHttp
from zun.interfaces.runtime import Credentials, Progress

#: seconds between two times that a pull asks whether it is still wanted, while Docker says nothing
_ASK_EVERY = 1.0

Failed = type[errors.ImagePullFailed] | type[errors.ImagePushFailed]


def pull(
    http: DockerHttp, reference: image.Reference, credentials: Credentials | None, progress: Callable[[Progress], None], limit: float
) -> None:
    """Raises ImagePullFailed with the registry's sentence, or after ``limit`` seconds; and whatever ``progress`` raises to give up.

    Docker says nothing at all until the registry has answered, and nothing while that stalls: ``progress`` is called every second, too,
    with nothing in it and in another thread.
    """
    query = {"fromImage": reference.name, "tag": reference.version}
    headers = _auth(reference, credentials)
    # Closed by hand: whoever gives up in ``progress`` may keep the traceback, and with it an open connection.
    with closing(_told(http, "/images/create", query, headers, reference, progress, limit, errors.ImagePullFailed)) as lines:
        for told in lines:
            progress(_progress(told))


def push(
    http: DockerHttp, reference: image.Reference, credentials: Credentials | None, progress: Callable[[Progress], None], limit: float
) -> str:
    """Send what Docker holds under the reference; returns its digest there. Raises ImagePushFailed; else as :func:`pull`."""
    # Docker wants the header even where it has nothing to say.
    headers = _auth(reference, credentials) or {"X-Registry-Auth": _encoded({})}
    digest = ""
    path, query = f"/images/{reference.name}/push", {"tag": reference.tag}
    with closing(_told(http, path, query, headers, reference, progress, limit, errors.ImagePushFailed)) as lines:
        for told in lines:
            progress(_progress(told))
            digest = str((told.get("aux") or {}).get("Digest") or digest)
    if not digest:
        raise errors.ImagePushFailed(image=str(reference), reason="the registry did not say what it has got")
    return digest


def _told(
    http: DockerHttp,
    path: str,
    query: dict[str, Any],
    headers: dict[str, str],
    reference: image.Reference,
    progress: Callable[[Progress], None],
    limit: float,
    failed: Failed,
) -> Generator[dict[str, Any], None, None]:
    """What Docker tells, line by line. Raises ``failed`` where a line tells of a failure, or none comes in time."""
    wanted = _Wanted(progress)
    try:
        with (
            wanted,
            http.stream("POST", path, query=query, headers=headers, timeout=limit, duration=limit, waking=wanted.by) as stream,
        ):
            if stream.status >= 300:
                raise failed(image=str(reference), reason=stream.answer().message)
            for line in stream.lines():
                told = _decoded(line)
                if reason := _failure(told):
                    raise failed(image=str(reference), reason=reason)
                yield told
    except TimeoutError:
        raise failed(image=str(reference), reason=f"not done within {limit:g} seconds") from None
    except errors.EngineUnavailable:
        wanted.check()
        raise
    wanted.check()


class _Wanted:
    """Asks, in a thread of its own, whether somebody still waits for a stream; if not, wakes its reader."""

    def __init__(self, progress: Callable[[Progress], None]) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._wake: Callable[[], None] | None = None
        self._refusal: BaseException | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="pull-wanted", daemon=True)

    def by(self, wake: Callable[[], None]) -> None:
        """Remember how the reader is woken."""
        with self._lock:
            self._wake = wake
            if self._refusal is not None:
                wake()

    def check(self) -> None:
        """Raises what was raised to give up."""
        if self._refusal is not None:
            raise self._refusal

    def _ask(self) -> None:
        while not self._over.wait(_ASK_EVERY):
            try:
                self._progress(Progress())
            except BaseException as refusal:
                with self._lock:
                    self._refusal = refusal
                    if self._wake is not None:
                        self._wake()
                return

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._thread.join()


def _progress(told: dict[str, Any]) -> Progress:
    counted = told.get("progressDetail")
    done, total = (counted.get(name) if isinstance(counted, dict) else None for name in ("current", "total"))
    return Progress(
        of=str(told.get("id") or ""),
        what=str(told.get("status") or ""),
        done=done if isinstance(done, int) and done >= 0 else None,
        total=total if isinstance(total, int) and total > 0 else None,
    )


def _failure(told: dict[str, Any]) -> str | None:
    """The registry's sentence. The field ``error`` is deprecated since API 1.48, and will be left out some day."""
    detail = told.get("errorDetail")
    return str((detail or {}).get("message") or told.get("error") or "it did not say why") if detail or told.get("error") else None


def failure_in(told: bytes) -> str | None:
    """What failed, of what Docker has told line by line of something that is over."""
    return next((reason for line in told.splitlines() if line.strip() and (reason := _failure(_decoded(line)))), None)


def _decoded(line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict)
    except msgspec.DecodeError as error:
        raise errors.EngineUnavailable(reason=f"it tells of an image what is no JSON object: {error}") from error


def _auth(reference: image.Reference, credentials: Credentials | None) -> dict[str, str]:
    """The header that opens a registry. Credentials go to the domain that they are for, and nowhere else."""
    if credentials is None or image.domain_of(credentials.domain) != image.domain_of(reference.domain):
        return {}
    account = {"username": credentials.username, "password": credentials.password, "serveraddress": reference.domain}
    return {"X-Registry-Auth": _encoded(account)}


def _encoded(account: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(account)).decode()
