"""Fetching an image through Docker, line by line, with an end to the waiting."""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec

from zun import errors
from zun.domain import image
from zun.drivers.runtime.docker_http import DockerHttp
from zun.interfaces.runtime import Credentials


def pull(
    http: DockerHttp, reference: image.Reference, credentials: Credentials | None, progress: Callable[[str], None], limit: float
) -> None:
    """Raises ImagePullFailed with the registry's sentence, or after ``limit`` seconds; and whatever ``progress`` raises to give up."""
    query = {"fromImage": reference.name, "tag": reference.version}
    with http.stream("POST", "/images/create", query=query, headers=_auth(reference, credentials), duration=limit) as stream:
        if stream.status >= 300:
            raise errors.ImagePullFailed(image=str(reference), reason=stream.answer().message)
        try:
            for line in stream.lines():
                told = msgspec.json.decode(line)
                if told.get("error"):
                    raise errors.ImagePullFailed(image=str(reference), reason=str(told["error"]))
                progress(" ".join(str(told[key]) for key in ("id", "status", "progress") if told.get(key)))
        except TimeoutError:
            raise errors.ImagePullFailed(image=str(reference), reason=f"not done within {limit:g} seconds") from None


def _auth(reference: image.Reference, credentials: Credentials | None) -> dict[str, str]:
    """The header that opens a registry. Credentials go to the domain that they are for, and nowhere else."""
    if credentials is None or image.domain_of(credentials.domain) != image.domain_of(reference.domain):
        return {}
    account = {"username": credentials.username, "password": credentials.password, "serveraddress": reference.domain}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(msgspec.json.encode(account)).decode()}
