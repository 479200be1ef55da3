"""Neutron over HTTP: the few calls that are needed, in its own words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from keystoneauth1 import exceptions as keystone

from zun import errors
from zun.drivers.network.cloud import Group, Net, Port, Subnet

#: something of Neutron's, in JSON
Found = Mapping[str, Any]

#: An answer of this kind says nothing of what was asked for.
_PASSING = (408, 429, 500, 502, 503, 504)

#: Of what one question can name: it is in its address.
_MOST_ASKED = 100

#: characters that Neutron takes of a description
_LONGEST = 255

#: An option of DHCP that no container asks for, as it has its addresses from us: on a port only while somebody is reminded.
_OPTION = {"opt_name": "bootfile-name", "opt_value": "zun-reminds"}

_ETHERTYPES = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}


class RestNeutron:
    """Implements :class:`zun.drivers.network.cloud.Neutron`. Safe for several threads."""

    def __init__(self, connect: Callable[[], Any], *, parallel: int = 2) -> None:
        """``connect`` makes an adapter of keystoneauth, which finds the endpoint, has the service's token, and keeps to the deadline of a
        call; it is called when something is asked for the first time. So many ports are changed at once."""
        self._turns = threading.BoundedSemaphore(parallel)
        self._connect = connect
        self._lock = threading.Lock()
        self._adapter: Any = None

    def network(self, network_id: str) -> Net | None:
        """See the Protocol."""
        found = self._one("networks", network_id)
        return None if found is None else _net(found)

    def networks(self, **where: str) -> list[Net]:
        """See the Protocol."""
        return [_net(found) for found in self._all("networks", where)]

    def public_networks(self) -> list[Net]:
        """See the Protocol."""
        shared = {net.id: net for net in self.networks(shared="True")}
        external = {net.id: net for net in self.networks(**{"router:external": "True"})}
        return list({**external, **shared}.values())

    def lent(self, network_id: str, project_id: str) -> bool:
        """See the Protocol."""
        return network_id in self.lent_to(project_id)

    def lent_to(self, project_id: str) -> list[str]:
        """See the Protocol."""
        where = {"object_type": "network", "action": "access_as_shared", "target_tenant": project_id}
        return [str(found["object_id"]) for found in self._all("rbac-policies", where)]

    def subnets(self, network_id: str) -> list[Subnet]:
        """See the Protocol."""
        return [_subnet(found) for found in self._all("subnets", {"network_id": network_id})]

    def port(self, port_id: str) -> Port | None:
        """See the Protocol."""
        found = self._one("ports", port_id)
        return None if found is None else _port(found)

    def ports(self, **where: str) -> list[Port]:
        """See the Protocol."""
        return [_port(found) for found in self._all("ports", where)]

    def ports_of(self, device_ids: Collection[str]) -> list[Port]:
        """See the Protocol."""
        where = {"device_id": sorted(device_ids), "fields": ["id", "device_id", "binding:profile"]}
        return [_port(found) for found in self._all("ports", where)]

    def states(self, port_ids: Collection[str]) -> list[Port]:
        """See the Protocol."""
        asked = sorted(port_ids)
        parts = [asked[begin : begin + _MOST_ASKED] for begin in range(0, len(asked), _MOST_ASKED)]
        fields = ["id", "status", "binding:vif_type"]
        return [_port(found) for part in parts for found in self._all("ports", {"id": part, "fields": fields})]

    def make_port(self, body: Mapping[str, Any]) -> Port:
        """See the Protocol."""
        with self._turns:
            return _port(_well(*self._ask("POST", "/ports", {"port": dict(body)}))["port"])

    def change_port(self, port: Port, body: Mapping[str, Any], *, unchanged: bool = False) -> Port:
        """See the Protocol."""
        with self._turns:
            return _port(_well(*self._update(port.id, body, port.revision if unchanged else None))["port"])

    def remind(self, port_id: str) -> None:
        """See the Protocol. The switch's agent is told of each change of a port, whatever it is, and DHCP's of one of its options: its
        description and such an option are changed, and changed back. What somebody else writes meanwhile stays."""
        with self._turns:
            port = self._one("ports", port_id)
            if port is None:
                return
            description = port.get("description") or ""
            changed = description[:-1] if len(description) == _LONGEST else f"{description} "
            change = {"description": changed, "extra_dhcp_opts": [] if _OPTION["opt_name"] in _options(port) else [_OPTION]}
            status, answer = self._update(port_id, change, port["revision_number"])
            while status != 404 and (undo := _undone(_well(status, answer)["port"], changed, description)):
                status, answer = self._update(port_id, undo, answer["port"]["revision_number"])
                if status == 412:
                    # The agent may have been quicker: that the port is ACTIVE is a revision, too.
                    status, answer = self._ask("GET", _path("ports", port_id))

    def delete_port(self, port_id: str) -> None:
        """See the Protocol."""
        with self._turns:
            self._delete("ports", port_id)

    def group(self, group_id: str) -> Group | None:
        """See the Protocol."""
        found = self._one("security-groups", group_id)
        return None if found is None else _group(found)

    def groups(self, **where: str) -> list[Group]:
        """See the Protocol."""
        return [_group(found) for found in self._all("security-groups", where)]

    def groups_named(self, names: Collection[str]) -> list[Group]:
        """See the Protocol."""
        where = {"name": sorted(names), "fields": ["id", "name", "project_id"]}
        return [_group(found) for found in self._all("security-groups", where)]

    def make_group(self, name: str, description: str, project_id: str) -> Group:
        """See the Protocol."""
        body = {"security_group": {"name": name, "description": description, "project_id": project_id}}
        return _group(_well(*self._ask("POST", "/security-groups", body))["security_group"])

    def open(self, group: Group, protocol: str, port: int) -> None:
        """See the Protocol."""
        for ethertype, everybody in _ETHERTYPES.items():
            rule = {
                "security_group_id": group.id,
                "project_id": group.project_id,
                "direction": "ingress",
                "ethertype": ethertype,
                "protocol": protocol,
                "port_range_min": port,
                "port_range_max": port,
                "remote_ip_prefix": everybody,
            }
            status, answer = self._ask("POST", "/security-group-rules", {"security_group_rule": rule})
            if status != 409:
                _well(status, answer)

    def delete_group(self, group_id: str) -> None:
        """See the Protocol."""
        self._delete("security-groups", group_id)

    # -- how -------------------------------------------------------------------------------------

    def _one(self, kind: str, uuid: str) -> Found | None:
        status, answer = self._ask("GET", _path(kind, uuid))
        return None if status == 404 else next(iter(_well(status, answer).values()))

    def _all(self, kind: str, where: Mapping[str, Any]) -> list[Found]:
        """All there are, page by page where Neutron tells no more at a time."""
        name, found = kind.replace("-", "_"), []
        while True:
            answer = _well(*self._ask("GET", f"/{kind}", query=where))
            found += answer[name]
            following = [link["href"] for link in answer.get(f"{name}_links", ()) if link["rel"] == "next"]
            if not following:
                return found
            where = parse_qs(urlsplit(following[0]).query)

    def _update(self, port_id: str, body: Mapping[str, Any], revision: int | None) -> tuple[int, Any]:
        """Change a port; with a ``revision`` only that one: 412 otherwise."""
        condition = {} if revision is None else {"If-Match": f"revision_number={revision}"}
        return self._ask("PUT", _path("ports", port_id), {"port": dict(body)}, headers=condition)

    def _delete(self, kind: str, uuid: str) -> None:
        status, answer = self._ask("DELETE", _path(kind, uuid))
        if status != 404:
            _well(status, answer)

    def _ask(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and answer. Raises NetworkUnavailable."""
        more = {} if body is None else {"json": body}
        try:
            answer = self._reached.request(path, method, params=query, headers={"Accept": "application/json", **(headers or {})}, **more)
            found = answer.json() if answer.content and answer.status_code < 500 else None
        except (keystone.ClientException, ValueError) as error:
            # No connection, no token, no endpoint: whatever it is, Neutron has not been asked.
            raise errors.NetworkUnavailable(reason=type(error).__name__) from error
        if answer.status_code in _PASSING:
            raise errors.NetworkUnavailable(reason=_said(answer.status_code, found))
        return answer.status_code, found

    @property
    def _reached(self) -> Any:
        with self._lock:
            if self._adapter is None:
                self._adapter = self._connect()
            return self._adapter


def _undone(port: Found, changed: str, description: str) -> dict[str, Any]:
    """What is to be changed back of a port, if anything."""
    undo: dict[str, Any] = {"description": description} if port.get("description") == changed else {}
    if _options(port).get(_OPTION["opt_name"]) == _OPTION["opt_value"]:
        undo["extra_dhcp_opts"] = [{**_OPTION, "opt_value": None}]
    return undo


def _options(port: Found) -> dict[str, str]:
    return {each["opt_name"]: each["opt_value"] for each in port.get("extra_dhcp_opts") or ()}


def _path(kind: str, uuid: str) -> str:
    return f"/{kind}/{quote(uuid, safe='')}"


def _well(status: int, answer: Any) -> Any:
    """The answer, if it is none of a refusal. Raises NetworkRefused."""
    if status >= 400:
        raise errors.NetworkRefused(reason=_said(status, answer))
    return answer


def _said(status: int, answer: Any) -> str:
    """What was said, without the address that was asked."""
    told = answer.get("NeutronError") if isinstance(answer, dict) else None
    text = told.get("message") if isinstance(told, dict) else told
    return str(text or f"HTTP status {status}")[:500]


def _net(found: Found) -> Net:
    return Net(
        id=found["id"],
        name=found.get("name") or "",
        project_id=found.get("project_id") or "",
        mtu=found.get("mtu") or 1500,
        external=bool(found.get("router:external")),
        shared=bool(found.get("shared")),
        subnets=list(found.get("subnets") or ()),
        created_at=found.get("created_at") or "",
        dns_domain=found.get("dns_domain") or "",
    )


def _subnet(found: Found) -> Subnet:
    return Subnet(
        id=found["id"],
        cidr=found["cidr"],
        gateway=found.get("gateway_ip"),
        nameservers=list(found.get("dns_nameservers") or ()),
        routes=[(route["destination"], route["nexthop"]) for route in found.get("host_routes") or ()],
        dhcp=bool(found.get("enable_dhcp")),
    )


def _port(found: Found) -> Port:
    """A port, or what was asked for of it."""
    return Port(
        id=found["id"],
        network_id=found.get("network_id") or "",
        project_id=found.get("project_id") or "",
        name=found.get("name") or "",
        mac=found.get("mac_address") or "",
        status=found.get("status") or "DOWN",
        device_id=found.get("device_id") or "",
        device_owner=found.get("device_owner") or "",
        host=found.get("binding:host_id") or "",
        vif_type=found.get("binding:vif_type") or "unbound",
        vif_details=dict(found.get("binding:vif_details") or {}),
        vnic_type=found.get("binding:vnic_type") or "normal",
        profile=dict(found.get("binding:profile") or {}),
        fixed_ips=[(each["subnet_id"], each["ip_address"]) for each in found.get("fixed_ips") or ()],
        security_groups=list(found.get("security_groups") or ()),
        revision=found.get("revision_number") or 0,
    )


def _group(found: Found) -> Group:
    return Group(id=found["id"], name=found.get("name") or "", project_id=found.get("project_id") or "")
