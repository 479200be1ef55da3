"""tempest.conf for this cloud."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud import ini
from cloud.tempest.accounts import Account, listed
from cloud.world import REGION, World, write_private

_PATIENCE = 30
_ACCOUNTS = "accounts.yaml"


@dataclass(frozen=True, slots=True)
class Setting:
    """The lowest microversion that the plugin is told to use, with no highest; and which tests are run so, by a regular expression."""

    name: str
    lowest: str
    tests: str = ""


_LEGACY = "TestContainerLegacy"
#: Every class is asked at the oldest version that it knows, and at the newest. The legacy class, which would go as low as 1.1, ends each of
#: its tests with a request of 1.12 (DELETE with ``stop``), attaches networks (1.8) and mounts volumes (1.11), which a service has to refuse
#: below; and two of its tests are for 1.14. So 1.14 is the oldest at which all that it asks is there.
SETTINGS = (
    Setting("oldest", "1.1", f"^(?!.*{_LEGACY})"),
    Setting("legacy", "1.14", _LEGACY),
    Setting("newest", "1.40", f"^(?!.*{_LEGACY})"),
)


def write(world: World, setting: Setting, accounts: list[Account], folder: Path) -> None:
    """Write ``tempest.conf`` and the accounts, readable for their owner only, into the folder, which has nothing else afterwards."""
    # Who was killed has left locks on accounts.
    shutil.rmtree(folder, ignore_errors=True)
    write_private(folder / _ACCOUNTS, listed(accounts))
    write_private(folder / "tempest.conf", ini.render(settings(world, setting, folder, public_network(world))))


def settings(world: World, setting: Setting, folder: Path, public: str) -> ini.Settings:
    """What is said to tempest: who it is, what there is in the cloud, and where public addresses are."""
    admin = world.account("admin")
    return {
        "DEFAULT": {"log_file": str(folder / "tempest.log"), "use_stderr": False},
        "oslo_concurrency": {"lock_path": str(folder / "locks")},
        "auth": {
            "use_dynamic_credentials": False,
            "test_accounts_file": str(folder / _ACCOUNTS),
            "admin_username": admin["username"],
            "admin_password": admin["password"],
            "admin_project_name": admin["project_name"],
            "admin_domain_name": admin["user_domain_name"],
        },
        "identity": {"auth_version": "v3", "uri_v3": world.url("identity"), "region": REGION, "v3_endpoint_type": "public"},
        "network": {"public_network_id": public, "floating_network_name": "public", "project_network_cidr": "10.100.0.0/16"},
        "service_available": {"cinder": True, "glance": True, "neutron": True, "nova": False, "swift": False, "zun": True},
        "validation": {"ping_timeout": 60},
        "container_service": {"min_microversion": setting.lowest, "max_microversion": "latest"},
    }


def public_network(world: World) -> str:
    """The id of the network that floating addresses come from."""
    token = _token(world)
    request = urllib.request.Request(f"{world.url('network')}/v2.0/networks?name=public", headers={"X-Auth-Token": token})
    found = _answer(request)[1]["networks"]
    return str(found[0]["id"])


def _token(world: World) -> str:
    account = world.account("admin")
    user = {"name": account["username"], "password": account["password"], "domain": {"name": account["user_domain_name"]}}
    scope = {"project": {"name": account["project_name"], "domain": {"name": account["project_domain_name"]}}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    request = urllib.request.Request(
        f"{world.url('identity')}/auth/tokens", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    return _answer(request)[0]["X-Subject-Token"]


def _answer(request: urllib.request.Request) -> tuple[Mapping[str, str], Any]:
    # No proxy of the caller's: the cloud is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=_PATIENCE) as answer:
        return answer.headers, json.load(answer)
