"""Archives as clients make them."""

from __future__ import annotations

import io
import tarfile


def tar(name: str, content: bytes) -> bytes:
    """An archive of one file."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()
