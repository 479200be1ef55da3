"""How connections to MySQL and MariaDB are encrypted where the URL says nothing of it."""

from __future__ import annotations

import ssl
from typing import Any

import sqlalchemy as sa

#: what an operator says of it, in a URL or in a file of the driver's
_SAID = ("ssl", "read_default_file", "read_default_group")


def share_context(engine: sa.Engine) -> None:
    """Have the connections of an engine share what encrypts them.

    PyMySQL encrypts what goes to a server that can, and verifies nobody, unless it is told more. For that it loads the certificates of
    every authority that the machine knows, for each connection anew: a megabyte, which each connection keeps, and some 20 ms of the
    processor. Nobody is verified by them. Where an operator has said something, the driver does what he has said.
    """
    if engine.dialect.driver != "pymysql":
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    @sa.event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, record: Any, positional: Any, named: dict[str, Any]) -> Any:
        if any(name.startswith(_SAID) for name in named):
            return None
        connection = dialect.loaded_dbapi.connect(*positional, **named, ssl_disabled=True, defer_connect=True)
        # As if it had made it itself: what the server does not offer it does without.
        connection.ssl, connection.ctx = True, context
        connection.connect()
        return connection
