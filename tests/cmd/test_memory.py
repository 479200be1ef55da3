"""What a process that serves for long does about its memory."""

from __future__ import annotations

import subprocess
import sys

LOOK = """
import gc
import zun.cmd.aio
from zun.cmd import memory
memory.settle()
print(gc.get_freeze_count() > 10_000, gc.isenabled())
"""


def test_what_is_loaded_is_left_out_of_collections_which_go_on() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True"]


def test_threads_share_their_heaps() -> None:
    """Threads that hold memory of their own: glibc tells in how many heaps it is."""
    count = """
import ctypes, threading
from zun.cmd import memory
memory.few_arenas()
here, done = threading.Barrier(9), threading.Event()
def hold():
    kept = bytearray(50_000)
    here.wait(); done.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
for each in threads: each.start()
here.wait()
ctypes.CDLL(None).malloc_stats()
done.set()
"""
    told = subprocess.run([sys.executable, "-c", count], check=True, capture_output=True, text=True).stderr
    assert 1 <= told.count("Arena ") <= 2
