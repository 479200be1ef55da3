"""The REST API for a WSGI server: ``zun.wsgi.api:application``.

The configuration is of /etc/zun/zun.conf, or of ``OS_ZUN_CONFIG_FILES`` (separated by ";") in ``OS_ZUN_CONFIG_DIR``. A server that forks
must load this after it has forked (uWSGI: ``lazy-apps``), and let it have threads (``enable-threads``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from zun.api.auth import WSGI
from zun.cmd import memory
from zun.cmd.service import configure
from zun.wiring.api import Api


def _application(variables: Mapping[str, str]) -> WSGI:
    folder = Path(variables.get("OS_ZUN_CONFIG_DIR", "/etc/zun"))
    named = [str(folder / name.strip()) for name in variables.get("OS_ZUN_CONFIG_FILES", "").split(";") if name.strip()]
    files = named or ([str(folder / "zun.conf")] if "OS_ZUN_CONFIG_DIR" in variables else None)
    memory.one_heap()
    api = Api(configure("zun-api", [], files))
    api.start()
    memory.settle()
    return api.app


application = _application(os.environ)
