"""The official client, unmodified, run in this process: as a process of its own each command would take two seconds to begin.

``openstack("list", "-f", "json")`` is what ``openstack --os-cloud zun appcontainer list -f json`` does, and ``capsule(...)`` the same of
``openstack capsule``. What comes back is what a person would read, or with ``-f json`` the value that it says.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engines import absent
from tests.service.aio import Aio

#: what the clients print of a call that the service has refused, and end as if it had not
_REFUSED = re.compile(r"^([^|{\"]* failed[:.]|Failed to )", re.MULTILINE)


def tells_of_refusal(said: str) -> bool:
    """Whether a client says in its own words that something has failed."""
    return _REFUSED.search(said) is not None


class Official:
    """One of the client's groups of commands, at the newest microversion unless ``at`` says another one."""

    def __init__(self, group: str) -> None:
        self._group = group

    def __call__(self, *words: str, succeeds: bool = True, refused: bool = False, at: str = "1") -> Any:
        """Run a command; the test fails if it does not end as it should. A command that failed answers what it has said.

        One that is ``refused`` says so, and ends as if it had not been: that is a fault of the client's.
        """
        code, out, err = run("--os-container-api-version", at, self._group, *words)
        assert (code == 0) is succeeds, f"{' '.join(words)} ended with {code}: {out}{err}"
        assert not succeeds or tells_of_refusal(out + err) is refused, f"{' '.join(words)} has said: {out}{err}"
        return json.loads(out) if succeeds and "json" in words else out + err


def run(*words: str) -> tuple[int, str, str]:
    """``openstack --os-cloud zun`` with these words: its exit code, output and errors."""
    from openstackclient.shell import OpenStackShell
    from osc_lib.clientmanager import ClientCache, ClientManager

    for cached in vars(ClientManager).values():
        if isinstance(cached, ClientCache):
            cached._handle = None  # of the command before: of another microversion, or of another service
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), as_it_was():
        try:
            code = OpenStackShell().run(["--os-cloud", "zun", *words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
    return code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def as_it_was() -> Iterator[None]:
    """For as long as this lasts, the client takes the process for its own: it sets up logging and silences warnings. Put back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers.clear()
    try:
        with warnings.catch_warnings():
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture
def openstack(service: Aio, monkeypatch: pytest.MonkeyPatch) -> Official:
    """``openstack appcontainer``, by an administrator."""
    return _group("appcontainer", service, monkeypatch)


@pytest.fixture
def capsule(service: Aio, monkeypatch: pytest.MonkeyPatch) -> Official:
    """``openstack capsule``, by an administrator."""
    return _group("capsule", service, monkeypatch)


def library(service: Aio, version: str, prefix: str = "/v1") -> Any:
    """python-zunclient at a microversion, without the commands; "1" is the newest that both sides know. ``prefix`` ends the endpoint that
    a catalog has."""
    try:
        import zunclient.client
    except ImportError:
        absent("python-zunclient is not installed")
    from keystoneauth1.http_basic import HTTPBasicAuth
    from keystoneauth1.session import Session

    auth = HTTPBasicAuth(endpoint=service.url + prefix, username="admin", password=service.password)
    return zunclient.client.Client(version, session=Session(auth=auth))


def _group(name: str, service: Aio, monkeypatch: pytest.MonkeyPatch) -> Official:
    try:
        import openstackclient.shell  # noqa: F401
        import zunclient  # noqa: F401
    except ImportError:
        absent("python-openstackclient or python-zunclient is not installed")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(service.clouds))
    return Official(name)
