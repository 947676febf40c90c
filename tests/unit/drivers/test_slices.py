"""Short time slices: what the kernel has noted of a process that asked for them."""

from __future__ import annotations

import os
import subprocess
import sys

from lokinet_node.drivers.slices import SLICE_NS

# Asked of the kernel by another number of its own: sched_getattr follows sched_setattr by one.
ASK = """
import ctypes, os
from lokinet_node.drivers import slices
noted = bytearray(slices._ATTRIBUTES.size)
def look():
    view = (ctypes.c_char * len(noted)).from_buffer(noted)
    number = slices._SYSCALLS[os.uname().machine] + 1
    assert ctypes.CDLL(None).syscall(number, 0, view, len(noted), 0) == 0
    _, policy, _, nice, _, runtime, _, _ = slices._ATTRIBUTES.unpack(noted)
    return policy, nice, runtime
os.nice(3)  # as far as there is room
before = look()
print(slices.ask_for_short_slices(), *before, *look())
"""


def test_a_node_is_run_in_short_slices_and_is_otherwise_what_it_was() -> None:
    """Red when the call is left out: the runtime stays; with nice 0 in it: the nice value."""
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, check=True, timeout=60
    )
    asked, *words = done.stdout.split()
    policy, nice, before, *after = map(int, words)
    has_slices = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 12)
    assert asked == "True"
    assert policy == os.SCHED_OTHER
    assert nice > 0
    assert after == [policy, nice, SLICE_NS if has_slices else before]
