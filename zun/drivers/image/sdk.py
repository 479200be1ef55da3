"""Glance by openstacksdk: its connection finds the endpoint, has the service's token, and keeps to the deadline of a call."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from typing import Any

import requests
from keystoneauth1 import exceptions as keystone
from openstack import exceptions as sdk

from zun import errors
from zun.drivers.image.cloud import Stored

#: An answer of this kind says nothing of what was asked for.
_PASSING = (408, 429, 500, 502, 503, 504)
_PIECE = 1 << 20
#: seconds that Glance may be silent while it stores what it was sent
_STORING = 300.0
_MOST_OF_A_REASON = 500


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except (sdk.SDKException, keystone.ClientException, requests.RequestException) as error:
        # No connection, no token, no endpoint, no answer in time: its words would tell the address.
        raise errors.ImageServiceUnavailable(reason=type(error).__name__) from error


class SdkGlance:
    """Implements :class:`zun.drivers.image.cloud.Glance`. Safe for several threads."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        """``connect`` makes a connection of openstacksdk; it is called when something is asked for the first time."""
        self._connect = connect
        self._lock = threading.Lock()
        self._connection: Any = None

    def image(self, image_id: str, token: str | None = None) -> Stored | None:
        """See the Protocol."""
        answer = self._ask("GET", f"/images/{image_id}", token=token)
        # A right that one lacks tells as little as an image that is not there.
        if answer.status_code == 404 or (token is not None and answer.status_code == 403):
            return None
        return _stored(_yes(answer).json())

    def images(self, token: str, most: int, **where: str) -> list[Stored]:
        """See the Protocol."""
        query = {"sort": "created_at:desc,id:asc", "limit": str(min(most, 100)), **where}
        if ":" in query.get("name", ""):
            # What stands before a colon is an operator for Glance, unless it is in quotes; those cannot be quoted themselves.
            if '"' in where["name"]:
                return []
            query["name"] = f'in:"{where["name"]}"'
        found: list[Stored] = []
        while len(found) < most:
            page = _yes(self._ask("GET", "/images", token=token, params=query)).json()["images"]
            found += [_stored(each) for each in page]
            if len(page) < int(query["limit"]):
                break
            query["marker"] = page[-1]["id"]
        return found[:most]

    def has_accepted(self, image_id: str, project_id: str, token: str | None = None) -> bool:
        """See the Protocol."""
        answer = self._ask("GET", f"/images/{image_id}/members/{project_id}", token=token)
        if answer.status_code in (403, 404):
            return False
        return bool(_yes(answer).json().get("status") == "accepted")

    def data(self, image_id: str) -> Generator[bytes, None, None]:
        """See the Protocol."""
        answer = self._ask("GET", f"/images/{image_id}/file", stream=True, log=False)
        with contextlib.closing(answer), _asking():
            if answer.status_code == 204:
                return
            yield from _yes(answer).iter_content(_PIECE)

    def make(self, body: Mapping[str, Any]) -> None:
        """See the Protocol."""
        _yes(self._ask("POST", "/images", json=dict(body)))

    def fill(self, image_id: str, pieces: Iterator[bytes]) -> None:
        """See the Protocol."""
        headers = {"Content-Type": "application/octet-stream"}
        # Pieces that are gone cannot be sent again. Once it has them all, what Glance keeps them in may take its time.
        more: dict[str, Any] = {"log": False, "allow_reauth": False, "timeout": _STORING}
        _yes(self._ask("PUT", f"/images/{image_id}/file", data=pieces, headers=headers, **more))

    def delete(self, image_id: str) -> None:
        """See the Protocol."""
        answer = self._ask("DELETE", f"/images/{image_id}")
        if answer.status_code != 404:
            _yes(answer)

    def _ask(self, method: str, path: str, *, token: str | None = None, **more: Any) -> Any:
        # Whoever asks decides whether he waits for another answer.
        more = {"status_code_retries": 0, "connect_retries": 0, **more}
        with _asking():
            proxy = self._proxy
            if token is not None:
                # The service's own token says who passes the user's on; Glance then asks neither for how long it is valid, nor for what.
                more |= {"authenticated": False, "headers": {"X-Auth-Token": token, "X-Service-Token": proxy.get_token() or ""}}
            try:
                return proxy.request(path, method, **more)
            except keystone.ConnectTimeout:
                raise
            except keystone.ConnectFailure:
                # It closes connections that were not used for a while, perhaps just now.
                if method != "GET":
                    raise
                return proxy.request(path, method, **more)

    @property
    def _proxy(self) -> Any:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection.image


def connection(session: Any, conf: Any) -> partial[Any]:
    """What makes a connection: by a session of keystoneauth, and the section ``[glance]`` of ``conf``."""
    from openstack import connection as connections

    return partial(connections.Connection, session=session, oslo_conf=conf, service_types={"image"})


def _yes(answer: Any) -> Any:
    """The answer, if it is none of a refusal. Raises ImageServiceUnavailable, ImageServiceRefused, Unauthorized."""
    if answer.status_code < 400:
        return answer
    with contextlib.closing(answer):
        if answer.status_code in _PASSING:
            raise errors.ImageServiceUnavailable(reason=f"HTTP status {answer.status_code}")
        if answer.status_code == 401:
            raise errors.ImageServiceUnavailable(reason="it does not take the token")
        raise errors.ImageServiceRefused(reason=_reason(answer))


def _reason(answer: Any) -> str:
    """Its own sentence, out of a page of HTML or out of JSON."""
    text: str = answer.content[: 4 * _MOST_OF_A_REASON].decode("utf-8", "replace")
    with contextlib.suppress(ValueError, AttributeError):
        text = str(answer.json().get("message") or text)
    plain = " ".join("".join(part.partition(">")[2] if i else part for i, part in enumerate(text.split("<"))).split())
    return (plain or f"HTTP status {answer.status_code}")[:_MOST_OF_A_REASON]


def _stored(found: Mapping[str, Any]) -> Stored:
    return Stored(
        id=str(found["id"]),
        name=found.get("name") or "",
        owner=found.get("owner") or "",
        status=found.get("status") or "",
        visibility=found.get("visibility") or "private",
        container_format=found.get("container_format") or "",
        disk_format=found.get("disk_format") or "",
        size=found.get("size"),
        hash_algo=found.get("os_hash_algo") or "",
        hash_value=found.get("os_hash_value") or "",
        architecture=str(found.get("hw_architecture") or found.get("architecture") or ""),
        record={name: found.get(name) for name in RECORD},
    )


#: what a search tells of an image
RECORD = (
    "id",
    "name",
    "status",
    "visibility",
    "owner",
    "size",
    "tags",
    "container_format",
    "disk_format",
    "os_hash_algo",
    "os_hash_value",
    "created_at",
    "updated_at",
)
