"""The key under which a request may be sent again (ADR 17)."""

from __future__ import annotations

import re
from typing import Any

from zun import errors
from zun.api.call import Call
from zun.domain.idempotency import Once, once
from zun.domain.model import Version

HEADER = "X-Idempotency-Key"

_SINCE = Version(1, 41)
_FORM = re.compile("[!-~]{1,255}")


def key(call: Call, kind: str, wish: Any) -> Once | None:
    """The key of a request for ``wish``, from its header or its ``client_token``. The header means nothing below microversion 1.41.

    Raises InvalidValue for one that is none, and for two that differ.
    """
    token: str | None = call.options.client_token
    if call.key is not None and call.version >= _SINCE:
        if not _FORM.fullmatch(call.key):
            raise errors.InvalidValue(field=HEADER, rule="must have 1 to 255 visible ASCII characters")
        if token not in (None, call.key):
            raise errors.InvalidValue(field="client_token", rule=f"must be the same as the header {HEADER}, if both are given")
        token = call.key
    return once(token, call.caller, kind, wish)
