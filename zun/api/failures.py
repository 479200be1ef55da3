"""How an error is told to a client (REST contract, section 3). What is no client's business goes to the log only."""

from __future__ import annotations

import http
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import falcon
import msgspec
from oslo_log import log

from zun import errors
from zun.api.microversion import RANGE, MicroversionUnsupported

LOG = log.getLogger(__name__)

MAX_DETAIL = 2000


@dataclass(frozen=True, slots=True)
class Failure:
    """An error answer: status, body and headers besides the content type, which is JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a WSGI request with it, outside of the application."""
        length = {"Content-Type": "application/json", "Content-Length": str(len(self.body))}
        start_response(f"{self.status} {http.HTTPStatus(self.status).phrase}", list({**length, **self.headers}.items()))
        return [self.body]


def document(status: int, code: str, title: str, detail: str, links: list[Any] | None = None, **more: str) -> bytes:
    """The body of an error answer. The request id in it is always empty; it stands in a header."""
    error = {"request_id": "", "code": code, "status": status, "title": title, "detail": detail, "links": links or []}
    return msgspec.json.encode({"errors": [{**error, **more}]})


def framework(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Failure:
    """The answer to a request that reached no call: no such path, method or version."""
    title = http.HTTPStatus(status).phrase
    return Failure(status, document(status, "container.", title, detail), headers or {})


def of(error: BaseException, retry_after: int) -> Failure:
    """The answer for any exception. Server errors are logged with an id, and the answer gives that id and nothing else of them but which
    other service of the cloud is away, if that is it."""
    if isinstance(error, falcon.HTTPError) and error.status_code < 500:
        return framework(error.status_code, _text(error.description or ""), dict(error.headers or {}))
    if isinstance(error, MicroversionUnsupported):
        return Failure(error.status, _no_such_version(error), RANGE)
    if isinstance(error, errors.UnsupportedVersion):
        return framework(error.status, str(error))
    if isinstance(error, errors.ZunError) and error.status < 500:
        headers = {"WWW-Authenticate": 'Basic realm="zun", charset="UTF-8"'} if error.status == 401 else {}
        text = _text(str(error))
        return Failure(error.status, document(error.status, error.code(), text, text), headers)
    return _server(error, retry_after)


def _no_such_version(error: MicroversionUnsupported) -> bytes:
    return document(
        error.status,
        "zun.microversion-unsupported",
        "Requested microversion is unsupported",
        str(error),
        [{"rel": "help", "href": "https://docs.openstack.org/api-guide/compute/microversions.html"}],
        max_version=error.details["max_version"],
        min_version=error.details["min_version"],
    )


def _server(error: BaseException, retry_after: int) -> Failure:
    reference = str(uuid.uuid4())
    if isinstance(error, errors.ServiceUnavailable):
        LOG.warning("A request failed (%s): %s", reference, error)
        why = f": the {error.service} does not answer" if error.service else ""
        detail = f"The service cannot do this just now{why}; please try again. The log knows more under {reference}."
        body = document(error.status, "container.", http.HTTPStatus(error.status).phrase, detail)
        return Failure(error.status, body, {"Retry-After": str(retry_after)})
    LOG.error("A request failed (%s): %s", reference, error, exc_info=error)
    detail = f"The server met an unexpected error. The log knows more under {reference}."
    return Failure(500, document(500, "container.", "Internal Server Error", detail))


def _text(text: str) -> str:
    """What can be sent: no error may fail because of what it tells of."""
    sound = text.encode("utf-8", "replace").decode()
    return sound if len(sound) <= MAX_DETAIL else sound[:MAX_DETAIL] + "..."
