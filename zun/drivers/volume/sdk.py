"""Cinder by openstacksdk. Every call carries a service token: without one Cinder would ask Nova whether an attachment may be deleted."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from keystoneauth1 import exceptions as keystone
from openstack import exceptions as sdk

from zun import errors
from zun.drivers.volume.cloud import BEGUN, Attachment, Volume

#: An answer of this kind says nothing of what was asked for.
_PASSING = (408, 429, 500, 502, 503, 504)

#: the first that has attachments from beginning to end
_ATTACHMENTS = "3.44"

_SERVICE_TOKEN = "X-Service-Token"  # noqa: S105 - the name of a header


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except sdk.HttpException as error:
        if error.status_code in _PASSING or error.status_code is None:
            raise errors.VolumesUnavailable(reason=_said(error)) from error
        raise errors.VolumesRefused(reason=_said(error)) from error
    except (sdk.SDKException, keystone.ClientException) as error:
        # No connection, no token, no endpoint: whatever it is, Cinder has not been asked.
        raise errors.VolumesUnavailable(reason=_said(error)) from error


def _said(error: Exception) -> str:
    """What was said, without the address that was asked."""
    details = getattr(error, "details", None)
    if details:
        return str(details)[:500]
    return type(error).__name__


class SdkCinder:
    """Implements :class:`zun.drivers.volume.cloud.Cinder`. Safe for several threads."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        """``connect`` makes a connection of openstacksdk; it is called when something is asked for the first time."""
        self._connect = connect
        self._lock = threading.Lock()
        self._connection: Any = None

    @property
    def _proxy(self) -> Any:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection.block_storage

    def volume(self, volume_id: str) -> Volume | None:
        """See the Protocol."""
        with _asking():
            answer = self._ask("GET", f"/volumes/{volume_id}", absent=True)
            return None if answer is None else _volume(answer["volume"])

    def volumes(self, project_id: str, name: str) -> list[Volume]:
        """See the Protocol."""
        where = {"all_tenants": "1", "project_id": project_id, "name": name}
        with _asking():
            answer = self._ask("GET", "/volumes/detail", params=where)
            # Whatever this Cinder makes of the filters.
            found = [_volume(each) for each in answer["volumes"]]
            return [each for each in found if (each.project_id, each.name) == (project_id, name)]

    def make_volume(self, body: Mapping[str, Any], project_id: str, token: str) -> Volume:
        """See the Protocol."""
        with _asking():
            proxy = self._proxy
            # Where endpoints name the project, it is the one of who asks; the catalog that we see names ours.
            base, own = str(proxy.get_endpoint()).rstrip("/"), str(proxy.get_project_id())
            if base.endswith(own):
                base = base.removesuffix(own) + project_id
            service = proxy.session.auth.get_headers(proxy.session)[_SERVICE_TOKEN]
            headers = {"X-Auth-Token": token, _SERVICE_TOKEN: service}
            answer = proxy.post(f"{base}/volumes", json={"volume": dict(body)}, headers=headers, authenticated=False)
            if answer.status_code in (401, 403, 413):
                said = _said(sdk.HttpException(response=answer, details=_message(answer)))
                raise errors.NewVolumeForbidden(size=body["size"], reason=said)
            sdk.raise_from_response(answer)
            return _volume(answer.json()["volume"])

    def delete_volume(self, volume_id: str) -> None:
        """See the Protocol."""
        with _asking():
            self._ask("DELETE", f"/volumes/{volume_id}", absent=True)

    def mark(self, volume_id: str, name: str, value: str) -> None:
        """See the Protocol."""
        with _asking():
            self._ask("POST", f"/volumes/{volume_id}/metadata", json={"metadata": {name: value}})

    def unmark(self, volume_id: str, name: str) -> None:
        """See the Protocol."""
        with _asking():
            self._ask("DELETE", f"/volumes/{volume_id}/metadata/{name}", absent=True)

    def attachments(self, instance: str) -> list[Attachment]:
        """See the Protocol."""
        where = {"all_tenants": "1", "instance_id": instance}
        with _asking():
            answer = self._ask("GET", "/attachments", params=where)
            found = [_attachment(each) for each in answer["attachments"]]
            return [each for each in found if each.instance == instance]

    def begun(self) -> list[Attachment]:
        """See the Protocol."""
        return [each for status in BEGUN for each in self._of_status(status)]

    def _of_status(self, status: str) -> list[Attachment]:
        found: dict[str, Attachment] = {}
        where = {"all_tenants": "1", "attach_status": status}
        while True:
            with _asking():
                page = [_attachment(each) for each in self._ask("GET", "/attachments", params=where)["attachments"]]
            if not {each.id for each in page} - found.keys():
                # Whatever this Cinder makes of the filters.
                return [each for each in found.values() if each.status == status]
            found |= {each.id: each for each in page}
            where["marker"] = page[-1].id

    def attach(self, volume_id: str, instance: str, connector: Mapping[str, Any]) -> Attachment:
        """See the Protocol."""
        body = {"attachment": {"volume_uuid": volume_id, "instance_uuid": instance, "connector": dict(connector)}}
        with _asking():
            return _attachment(self._ask("POST", "/attachments", json=body)["attachment"])

    def refresh(self, attachment_id: str, connector: Mapping[str, Any]) -> Attachment:
        """See the Protocol."""
        with _asking():
            body = {"attachment": {"connector": dict(connector)}}
            return _attachment(self._ask("PUT", f"/attachments/{attachment_id}", json=body)["attachment"])

    def complete(self, attachment_id: str) -> None:
        """See the Protocol."""
        with _asking():
            self._ask("POST", f"/attachments/{attachment_id}/action", json={"os-complete": {}})

    def detach(self, attachment_id: str) -> None:
        """See the Protocol."""
        with _asking():
            self._ask("DELETE", f"/attachments/{attachment_id}", absent=True)

    def _ask(self, method: str, path: str, *, absent: bool = False, **more: Any) -> Any:
        """The answer; with ``absent`` None where there is no such thing."""
        answer = self._proxy.request(path, method, microversion=_ATTACHMENTS, **more)
        if absent and answer.status_code == 404:
            return None
        sdk.raise_from_response(answer)
        return answer.json() if answer.content else {}


def connection(session: Any, conf: Any) -> partial[Any]:
    """What makes a connection: by a session of keystoneauth, and the section ``[cinder]`` of ``conf``."""
    from openstack import connection as connections

    return partial(connections.Connection, session=session, oslo_conf=conf, service_types={"block-storage"})


def _message(answer: Any) -> str:
    """Cinder's own sentence."""
    try:
        told = next(iter(answer.json().values()))
        return str(told["message"])
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return f"Cinder answered {answer.status_code}."


def _volume(found: Mapping[str, Any]) -> Volume:
    metadata = found.get("metadata") or {}
    return Volume(
        id=str(found["id"]),
        name=found.get("name") or "",
        project_id=found.get("os-vol-tenant-attr:tenant_id") or "",
        status=found.get("status") or "",
        multiattach=bool(found.get("multiattach")),
        encrypted=bool(found.get("encrypted")),
        read_only=str(metadata.get("readonly", "")).lower() == "true",
        metadata={str(key): str(value) for key, value in metadata.items()},
    )


def _attachment(found: Mapping[str, Any]) -> Attachment:
    return Attachment(
        id=str(found["id"]),
        volume_id=str(found["volume_id"]),
        instance=found.get("instance") or "",
        status=found.get("status") or "",
        connection=dict(found.get("connection_info") or {}),
    )
