"""What a process of ours that serves for long does about its memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc

#: of glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8

#: bytes from which on a piece of memory comes from the system by itself, and goes back there
_LARGE = 512 * 1024
#: bytes that may be free at the end of the heap before they go back
_SPARE = 128 * 1024


def one_heap() -> None:
    """Have the threads share one heap of the C library, before there are any, and give back what is large.

    Each thread would get a heap of its own, and what a long list took there would be kept there. They hardly wait for each other: Python
    lets one of them run at a time. And the library takes what was large once for what is usual, and from then on puts the like of it into
    the heap, where it stays: the answer to a list of a thousand is more than a megabyte. A C library without all this is left as it is.
    """
    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, _LARGE)
        mallopt(M_TRIM_THRESHOLD, _SPARE)


def settle() -> None:
    """What there is now stays as long as the process: no collection of garbage looks at it again.

    A list of a thousand containers makes enough objects for a full collection, and to look at every module each time took three times as
    long as the list.
    """
    gc.collect()
    gc.freeze()
