"""Networks and security groups of containers: who can change them is the network driver, who says whether it may is the conductor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zun import errors
from zun.conductor.verbs import Verbs
from zun.domain.action import Caller
from zun.domain.container import Container
from zun.domain.sandbox import Sandbox, device_of
from zun.interfaces.network import Network
from zun.interfaces.store import Store


class Networks:
    """Accepts changes of networks. What the driver of the deployment cannot do is refused before anything is written."""

    def __init__(self, network: Network, verbs: Verbs, store: Store) -> None:
        self._network = network
        self._store = store
        self._verbs = verbs

    def change(self, caller: Caller, container: Container, verb: str, wish: dict[str, Any]) -> None:
        """Accept a change of the container's networks or security groups.

        Raises NotOffered, what :meth:`Network.choose_change` and :meth:`Verbs.accept` raise, and InvalidStateException for a container
        that is on no host.
        """
        self._network.refuse_change(verb, wish)
        self._verbs.check(container, verb)
        with self._store.read() as tx:
            sandbox = tx.get(Sandbox, container.sandbox_uuid)
        if sandbox is None:
            raise errors.ContainerNotFound(id=container.uuid)
        if sandbox.host is None:
            raise errors.InvalidStateException(verb=verb, id=container.uuid, state=container.status.value)
        device = device_of(sandbox, container.uuid)
        chosen = self._network.choose_change(sandbox, device, verb, wish, external=caller.external_networks)
        self._verbs.accept(caller, container, verb, chosen)

    def create(self, caller: Caller, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Let containers use a network of Neutron: where they can use any, they can use it already, and nothing is made.

        Raises NotOffered, NetworkNotFound.
        """
        self._network.refuse_change("create", wish)
        name = wish["neutron_net_id"]
        return {
            "uuid": name,
            "name": name,
            "project_id": caller.project_id,
            "user_id": caller.user_id,
            "network_id": None,
            "neutron_net_id": name,
        }

    def delete(self, network_id: str) -> None:
        """Forget what :meth:`create` has made: nothing. Raises NetworkNotFound."""
        self._network.refuse_change("delete", {"id": network_id})
