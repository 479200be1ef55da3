"""Placement over HTTP: the few calls that are needed, in its own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from keystoneauth1 import exceptions as keystone

from zun import errors

#: The lowest version that has all that is used here: consumers with a type (1.38; Placement 6.0, Xena).
MICROVERSION = "1.38"

#: what our consumers are, among instances of Nova and others
CONSUMER_TYPE = "CONTAINER"

#: An answer of this kind says nothing of what was asked for.
_PASSING = (401, 408, 429, 500, 502, 503, 504)

#: amounts by class of resource, by provider
Amounts = dict[str, dict[str, int]]


class Changed(Exception):
    """Somebody else was faster: what was read has another generation now."""


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer takes."""

    takes: Amounts
    generation: int
    consumer_type: str


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """Inventories or traits of a provider, and the generation that they were read at."""

    generation: int
    has: Any


class Rest:
    """Calls with the service's own credentials. All raise InventoryUnavailable. Safe for several threads."""

    def __init__(self, adapter: Any) -> None:
        """``adapter`` is keystoneauth's."""
        self._adapter = adapter

    # -- providers -------------------------------------------------------------------------------

    def provider_named(self, name: str) -> str | None:
        """The uuid of the provider of that name."""
        found = self._get("/resource_providers", {"name": name})["resource_providers"]
        return str(found[0]["uuid"]) if found else None

    def has_provider(self, uuid: str) -> bool:
        """Whether there is a provider of that uuid."""
        return bool(self._get("/resource_providers", {"uuid": uuid})["resource_providers"])

    def make_provider(self, uuid: str, name: str) -> bool:
        """Make a provider. False where the name is another one's."""
        status, answer = self._ask("POST", "/resource_providers", {"uuid": uuid, "name": name})
        if status == 409:
            return False
        self._well(status, answer)
        return True

    def delete_provider(self, uuid: str) -> bool:
        """Delete a provider; gone already is as good. False while somebody takes something of it."""
        status, answer = self._ask("DELETE", f"/resource_providers/{uuid}")
        if status == 409:
            return False
        if status != 404:
            self._well(status, answer)
        return True

    def inventories(self, uuid: str) -> Described:
        """What a provider has, by class of resource."""
        answer = self._get(f"/resource_providers/{uuid}/inventories")
        return Described(generation=answer["resource_provider_generation"], has=answer["inventories"])

    def set_inventories(self, uuid: str, inventories: Mapping[str, Any], generation: int) -> None:
        """Write what a provider has. Raises Changed; ClaimRefused where that would take away what somebody uses."""
        body = {"inventories": inventories, "resource_provider_generation": generation}
        self._write(f"/resource_providers/{uuid}/inventories", body)

    def traits(self, uuid: str) -> Described:
        """The traits of a provider, as a set."""
        answer = self._get(f"/resource_providers/{uuid}/traits")
        return Described(generation=answer["resource_provider_generation"], has=frozenset(answer["traits"]))

    def set_traits(self, uuid: str, traits: Iterable[str], generation: int) -> None:
        """Write the traits of a provider. Raises Changed."""
        self._write(f"/resource_providers/{uuid}/traits", {"traits": sorted(traits), "resource_provider_generation": generation})

    def make_trait(self, name: str) -> None:
        """See that there is a trait of that name."""
        self._well(*self._ask("PUT", f"/traits/{name}"))

    # -- allocations -----------------------------------------------------------------------------

    def candidates(
        self, amounts: Mapping[str, int], required: Iterable[str], forbidden: Iterable[str], in_tree: str | None, most: int
    ) -> dict[str, dict[str, int]]:
        """The providers that have so much, each by itself: what is used of each, by class of resource."""
        asked = {
            "resources": ",".join(f"{name}:{amount}" for name, amount in sorted(amounts.items())),
            "required": ",".join([*sorted(required), *(f"!{name}" for name in sorted(forbidden))]),
            "limit": most,
            **({"in_tree": in_tree} if in_tree else {}),
        }
        answer = self._get("/allocation_candidates", asked)
        summaries = answer["provider_summaries"]
        whole = [request["allocations"] for request in answer["allocation_requests"] if len(request["allocations"]) == 1]
        return {uuid: {name: amount["used"] for name, amount in summaries[uuid]["resources"].items()} for each in whole for uuid in each}

    def allocation(self, consumer: str) -> Allocation | None:
        """What a consumer takes; None where that is nothing."""
        answer = self._get(f"/allocations/{consumer}")
        if not answer["allocations"]:
            return None
        takes = {uuid: dict(each["resources"]) for uuid, each in answer["allocations"].items()}
        return Allocation(takes=takes, generation=answer["consumer_generation"], consumer_type=answer.get("consumer_type", ""))

    def allocate(self, consumer: str, takes: Amounts, owner: tuple[str, str], generation: int | None) -> None:
        """Have the consumer take this instead of what it took when it was read: None for one that takes nothing. ``owner`` are project
        and user. Raises Changed, ClaimRefused."""
        body = {
            "allocations": {uuid: {"resources": resources} for uuid, resources in takes.items()},
            "project_id": owner[0],
            "user_id": owner[1],
            "consumer_generation": generation,
            "consumer_type": CONSUMER_TYPE,
        }
        self._write(f"/allocations/{consumer}", body)

    def release(self, consumer: str) -> None:
        """Have the consumer take nothing; nothing already is as good."""
        status, answer = self._ask("DELETE", f"/allocations/{consumer}")
        if status != 404:
            self._well(status, answer)

    def consumers(self, uuid: str) -> dict[str, dict[str, int]]:
        """Who takes what of a provider; nobody of one that there is not."""
        status, answer = self._ask("GET", f"/resource_providers/{uuid}/allocations")
        if status == 404:
            return {}
        self._well(status, answer)
        return {consumer: dict(each["resources"]) for consumer, each in answer["allocations"].items()}

    # -- how -------------------------------------------------------------------------------------

    def _get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        status, answer = self._ask("GET", path, query=query)
        self._well(status, answer)
        return answer

    def _write(self, path: str, body: Mapping[str, Any]) -> None:
        status, answer = self._ask("PUT", path, body)
        if status == 409:
            if _code(answer) == "placement.concurrent_update":
                raise Changed
            raise errors.ClaimRefused(host="-", reason=_said(answer))
        self._well(status, answer)

    def _ask(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        try:
            answer = self._adapter.request(
                path, method, json=body, params=query, raise_exc=False, headers={"Accept": "application/json"}, microversion=MICROVERSION
            )
            found = answer.json() if answer.content else None
        except (keystone.ClientException, ValueError) as error:
            # No connection, no token, no endpoint: whatever it is, Placement has not been asked.
            raise errors.InventoryUnavailable(reason=type(error).__name__) from error
        if answer.status_code in _PASSING:
            raise errors.InventoryUnavailable(reason=f"{answer.status_code} {_said(found)}".strip())
        return answer.status_code, found

    def _well(self, status: int, answer: Any) -> None:
        """Raises InventoryUnavailable for what should not have been refused: it is not the container's fault, and an operator may help."""
        if status >= 400:
            raise errors.InventoryUnavailable(reason=f"{status} {_said(answer)}".strip())


def _first(answer: Any) -> Mapping[str, Any]:
    found = answer.get("errors") if isinstance(answer, dict) else None
    return found[0] if found else {}


def _code(answer: Any) -> str:
    return str(_first(answer).get("code", ""))


def _said(answer: Any) -> str:
    """What was said, without the address that was asked."""
    return " ".join(str(_first(answer).get("detail", "")).split())[:500]
