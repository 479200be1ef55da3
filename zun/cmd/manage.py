"""``zun-manage``: what operators do to the database of the service, also while the service runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from oslo_config import cfg

from zun import errors
from zun.cmd.aio import configure
from zun.conductor import drain as drains
from zun.conductor.purge import Purge
from zun.db import migrate
from zun.domain import drain
from zun.domain.host import COMPUTE, Service
from zun.wiring.control import admin, database, rotate_keys
from zun.wiring.inventory import Account
from zun.wiring.parts import utcnow

if TYPE_CHECKING:
    from zun.drivers.inventory.reconcile import Amiss, Reconciler


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one thing and say what was done. Returns the exit code: 1 where it could not be done, 3 where an audit has found something."""
    parsed = _parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    passed = [f"--state-dir={parsed.state_dir}"] if parsed.state_dir else []
    # Without a word it is about the service that this machine is configured for, as the service itself is.
    files = parsed.config_file or ([] if passed else cfg.find_config_files(project="zun", prog="zun-manage"))
    passed += [word for file in files for word in ("--config-file", file)]
    try:
        found = COMMANDS[parsed.command](configure(passed), parsed)
    except (OSError, ValueError, cfg.Error, errors.ZunError) as cause:
        print(f"zun-manage: {cause}", file=sys.stderr)
        return 1
    return found or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zun-manage", description=__doc__)
    parser.add_argument("--state-dir", type=Path, help="the folder of zun-aio")
    parser.add_argument("--config-file", action="append", default=[], help="may be given several times")
    groups = parser.add_subparsers(required=True, metavar="GROUP")
    db = groups.add_parser("db", help="the database").add_subparsers(required=True, metavar="COMMAND", dest="command")
    db.add_parser("version", help="show the revision of the database, and the newest one").set_defaults(command="version")
    db.add_parser("upgrade", help="bring the database to the newest revision").set_defaults(command="upgrade")
    purge = db.add_parser("purge", help="remove the records of actions that ended long ago, and what is over by itself")
    when = purge.add_mutually_exclusive_group(required=True)
    when.add_argument("--older-than", type=_days, metavar="DAYS", help="how long ago an action must have ended")
    when.add_argument("--before", type=_moment, metavar="DATE", help="when: 2026-11-23, or 2026-11-23T12:30 (UTC unless it has a zone)")
    purge.add_argument("--dry-run", action="store_true", help="only say how much there is")
    purge.add_argument("--verbose", action="store_true", help="say after each transaction how far it has come")
    purge.set_defaults(command="purge")
    service = groups.add_parser("service", help="processes of the service").add_subparsers(required=True, metavar="COMMAND", dest="command")
    service.add_parser("list", help="list them").set_defaults(command="services")
    forget = service.add_parser("delete", help="forget one that is not expected back, and with zun-compute its host")
    forget.add_argument("--host", required=True)
    forget.add_argument("--binary", default=COMPUTE)
    forget.set_defaults(command="forget")
    held = groups.add_parser("placement", help="allocations in Placement").add_subparsers(required=True, metavar="COMMAND", dest="command")
    audit = held.add_parser("audit", help="list those that are not what the database says; the exit code is 3 if there are any")
    audit.set_defaults(command="audit")
    held.add_parser("heal", help="put them right at once: the service does so by itself, too").set_defaults(command="heal")
    secrets = groups.add_parser("secrets", help="what is sealed").add_subparsers(required=True, metavar="COMMAND", dest="command")
    secrets.add_parser("rotate", help="make a new key and seal every password with it").set_defaults(command="rotate")
    return parser


def _days(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 36_500:
        raise ValueError(text)
    return number


def _moment(text: str) -> datetime:
    """A date, or a time, as UTC without a zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _version(conf: cfg.ConfigOpts, parsed: argparse.Namespace) -> None:
    print(f"{migrate.current(conf.database.connection) or 'none'} (newest: {migrate.head()})")


def _upgrade(conf: cfg.ConfigOpts, parsed: argparse.Namespace) -> None:
    migrate.upgrade(conf.database.connection)
    _version(conf, parsed)


def _purge(conf: cfg.ConfigOpts, parsed: argparse.Namespace) -> None:
    found = migrate.current(conf.database.connection)
    if found != migrate.head():
        raise ValueError(f"the database is at revision {found or 'none'}: bring it up with 'db upgrade' first")
    now = utcnow()
    before = parsed.before if parsed.before is not None else now - timedelta(days=parsed.older_than)
    if before > now:
        raise ValueError(f"{before} is still to come")
    store = database(conf, utcnow)
    try:
        counts = Purge(store, now, told=_said if parsed.verbose else _nothing).run(before, dry_run=parsed.dry_run)
    finally:
        store.close()
    for name, count in counts.items():
        print(f"{count} {name} {'would be ' if parsed.dry_run else ''}removed")


def _said(name: str, count: int) -> None:
    print(f"{utcnow().isoformat(timespec='seconds')} {count} {name} removed so far", flush=True)


def _nothing(name: str, count: int) -> None:
    """What is said to who does not want to hear it."""


def _services(conf: cfg.ConfigOpts, parsed: argparse.Namespace) -> None:
    store = database(conf, utcnow)
    try:
        with store.read() as tx:
            rows = [(row, drains.count(tx, row)) for row in tx.find(Service)]
    finally:
        store.close()
    for row, left in rows:
        state = drain.shown(row.drain_state, left)
        drained = f" {state} ({left} left)" if left else f" {state}" if state else ""
        print(f"{row.host} {row.binary} {'disabled' if row.disabled else 'enabled'}{drained} last seen {row.last_seen_up or 'never'}")


def _forget(conf: cfg.ConfigOpts, parsed: argparse.Namespace) -> None:
    store = database(conf, utcnow)
    try:
        admin(conf, store, utcnow).forget(parsed.host, parsed.binary)
    finally:
        store.close()
    print(f"{parsed.binary} on {parsed.host} removed")


def _rotate(conf: cfg.ConfigOpts, parsed: argparse.Namespace) -> None:
    print(f"{rotate_keys(conf)} passwords sealed with a new key")


def _audit(conf: cfg.ConfigOpts, parsed: argparse.Namespace) -> int:
    """Nova's tool answers 3, too, where it has found something."""
    found = _reconciled(conf, lambda reconciler: reconciler.audit())
    for amiss in found:
        print(f"{amiss.consumer} {amiss.what} on {amiss.host}")
    print(f"{len(found)} allocations are not what they should be")
    return 3 if found else 0


def _heal(conf: cfg.ConfigOpts, parsed: argparse.Namespace) -> None:
    found = _reconciled(conf, lambda reconciler: reconciler.heal())
    for amiss in found:
        print(f"{amiss.consumer} {amiss.what} on {amiss.host}: put right")
    print(f"{len(found)} allocations put right")


def _reconciled(conf: cfg.ConfigOpts, look: Callable[[Reconciler], list[Amiss]]) -> list[Amiss]:
    """Raises ValueError where there is no Placement to be asked."""
    store = database(conf, utcnow)
    try:
        reconciler = Account(conf, store, utcnow).reconciler
        if reconciler is None:
            raise ValueError("[inventory] driver is not placement: the database itself is the account of hosts")
        reconciler.keep_hosts()
        return look(reconciler)
    finally:
        store.close()


COMMANDS: Mapping[str, Callable[[cfg.ConfigOpts, argparse.Namespace], int | None]] = {
    "version": _version,
    "upgrade": _upgrade,
    "purge": _purge,
    "services": _services,
    "forget": _forget,
    "rotate": _rotate,
    "audit": _audit,
    "heal": _heal,
}


if __name__ == "__main__":
    sys.exit(main())
