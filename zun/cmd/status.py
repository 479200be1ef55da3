"""``zun-status upgrade check``: whether this release can take over what is there. Run it with the new release, before its processes start.

The exit code is 0 when all is well, 1 when something should be looked at, 2 when the release would not work.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code, Result, UpgradeCommands
from oslo_upgradecheck.upgradecheck import main as check
from yaml import YAMLError, safe_load

from zun import conf as zun_conf
from zun import errors
from zun.api.policy import list_rules
from zun.conf import secrets
from zun.db import migrate, revision
from zun.domain.registry import Registry
from zun.wiring.control import database
from zun.wiring.parts import utcnow


class Checks(UpgradeCommands):
    """What is looked at; nothing is changed."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        super().__init__()
        self._conf = conf

    def database(self) -> Result:
        """Whether its tables are of this release, or can be made so."""
        try:
            found = migrate.current(self._conf.database.connection)
        except (errors.ZunError, ValueError) as error:
            return Result(Code.FAILURE, str(error))
        newest = revision.newest()
        if found == newest:
            return Result(Code.SUCCESS)
        if found is not None and found > newest:
            return Result(Code.FAILURE, str(errors.StoreTooNew(found=found, newest=newest)))
        return Result(Code.WARNING, f"It is at revision {found or 'none'}, this release needs {newest}: run 'zun-manage db upgrade'.")

    def policy(self) -> Result:
        """Whether all the rules in the operator's file are rules of this release."""
        path = self._conf.find_file(self._conf.oslo_policy.policy_file)
        if path is None:
            return Result(Code.SUCCESS)
        try:
            with open(path, encoding="utf-8") as file:  # noqa: PTH123  # find_file gives a string
                written = safe_load(file) or {}
        except (OSError, YAMLError) as error:
            return Result(Code.FAILURE, f"{path} cannot be read: {error}")
        if not isinstance(written, dict):
            return Result(Code.FAILURE, f"{path} is no list of rules by their names")
        unknown = sorted(set(map(str, written)) - {rule.name for rule in list_rules()})
        if unknown:
            return Result(Code.WARNING, f"{path} has rules that are none of this release's: {', '.join(unknown)}")
        return Result(Code.SUCCESS)

    def passwords(self) -> Result:
        """Whether the keys of the configuration open every password that is kept."""
        try:
            if not revision.is_newest(self._conf.database.connection):
                return Result(Code.WARNING, "They can be looked at once the database is at this release's revision.")
            store = database(self._conf, utcnow)
        except (errors.ZunError, ValueError) as error:
            return Result(Code.FAILURE, str(error))
        try:
            vault = secrets.vault(self._conf)
            with store.read() as tx:
                kept = [row for row in tx.find(Registry) if row.password is not None]
            for row in kept:
                vault.open(row.password or "", row.domain, row.uuid)
        except (errors.ZunError, ValueError) as error:
            return Result(Code.FAILURE, str(error))
        finally:
            store.close()
        return Result(Code.SUCCESS)

    _upgrade_checks = (("Database", database), ("Policy", policy), ("Passwords of registries", passwords))


def main(arguments: Sequence[str] | None = None) -> int:
    """Check and print a table, or JSON. Returns the exit code."""
    conf = zun_conf.new()
    return int(check(conf, "zun", Checks(conf), argv=list(sys.argv[1:] if arguments is None else arguments)))


if __name__ == "__main__":
    sys.exit(main())
