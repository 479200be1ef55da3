"""What a process that serves for long does about its memory."""

from __future__ import annotations

import re
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


def told_of(threads: str) -> str:
    """What glibc tells of its heaps while eight threads have done this, and what is in its own once they have."""
    program = f"""
import ctypes, threading
from zun.cmd import memory
memory.one_heap()
here, done = threading.Barrier(9), threading.Event()
def work():
    {threads}
    here.wait(); done.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for each in threads: each.start()
here.wait()
ctypes.CDLL(None).malloc_stats()
done.set()
"""
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stderr


def test_threads_share_a_heap() -> None:
    assert told_of("kept = bytearray(50_000)").count("Arena ") == 1


def test_what_is_large_stays_out_of_the_heap_however_often_there_was_the_like_of_it() -> None:
    told = told_of("[bytearray(2_000_000) for _ in range(5)]; kept = bytearray(2_000_000)")
    in_heap = int(re.search(r"Arena 0:\nsystem bytes += +(\d+)", told)[1])  # type: ignore[index]
    assert in_heap < 4 * 2_000_000
