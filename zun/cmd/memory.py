"""What a process of ours that serves for long does about its memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc

#: of glibc's malloc.h
M_ARENA_MAX = -8


def few_arenas() -> None:
    """Have the threads share two heaps of the C library, before there are any: each would get one of its own, and what a long list took
    there would be kept there. A C library without them is left as it is.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def settle() -> None:
    """What there is now stays as long as the process: no collection of garbage looks at it again.

    A list of a thousand containers makes enough objects for a full collection, and to look at every module each time took three times as
    long as the list.
    """
    gc.collect()
    gc.freeze()
