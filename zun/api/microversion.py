"""The microversion that a request is served at (REST contract, section 2)."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from zun import errors
from zun.domain.model import MAX_VERSION, MIN_VERSION, Version

SERVICE = "container"
HEADER = "OpenStack-API-Version"
#: where WSGI has the header
ENVIRON = "HTTP_OPENSTACK_API_VERSION"

WRONG_SERVICE = f"Invalid service type for {HEADER} header"
WRONG_VALUE = f"Invalid value for {HEADER} header"
WRONG_METHOD = "Version {version} was requested but the requested API is not supported for this version."

#: on every answer below /v1, whatever becomes of the request
RANGE: Mapping[str, str] = {
    "OpenStack-API-Minimum-Version": f"{SERVICE} {MIN_VERSION}",
    "OpenStack-API-Maximum-Version": f"{SERVICE} {MAX_VERSION}",
    "vary": HEADER,
}


class MicroversionUnsupported(errors.UnsupportedVersion):
    """There is no such microversion. The answer tells which ones there are."""

    text = "Version {version} is not supported by the API. Minimum is {min_version} and maximum is {max_version}."


@functools.lru_cache(maxsize=100)
def negotiate(header: str | None) -> Version:
    """The version that the request's header asks for; the lowest one where there is no header.

    Raises UnsupportedVersion, or MicroversionUnsupported for a version that is well-formed and out of range.
    """
    if header is None:
        return MIN_VERSION
    words = header.split()
    if len(words) != 2 or words[0] != SERVICE:
        raise errors.UnsupportedVersion(reason=WRONG_SERVICE)
    if words[1] == "latest":
        return MAX_VERSION
    match = re.fullmatch(r"([0-9]{1,4})\.([0-9]{1,4})", words[1])
    if match is None:
        raise errors.UnsupportedVersion(reason=WRONG_VALUE)
    version = Version(int(match[1]), int(match[2]))
    if not MIN_VERSION <= version <= MAX_VERSION:
        raise MicroversionUnsupported(version=version, min_version=MIN_VERSION, max_version=MAX_VERSION)
    return version


@functools.cache
def headers(version: Version) -> Mapping[str, str]:
    """The headers of an answer at this version."""
    return {HEADER: f"{SERVICE} {version}", **RANGE}
