"""Short time slices: a relay works for a tenth of a millisecond, hundreds of times a second.

Linux gives whoever wakes up the processor sooner if it asks to be run for a shorter time
(sched_setattr(2) and EEVDF's custom slices, since 6.12; older kernels take the call and do as
before). Nobody is robbed: a node's share of the processor stays what it was.
"""

from __future__ import annotations

import ctypes
import os
from struct import Struct
from typing import Final

SLICE_NS: Final = 100_000
"""The shortest the kernel gives; usual are 1.4 ms on two processors, 2.8 on eight and more."""

_SYSCALLS: Final = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""Number of sched_setattr by machine: the C library has no function of that name before 2.41."""
_ATTRIBUTES: Final = Struct("=IIQiIQQQ")
"""struct sched_attr, version 0: size, policy, flags, nice, priority, runtime, deadline, period."""


def ask_for_short_slices() -> bool:
    """Ask for this thread, which keeps its policy and its nice value; False: not to be had."""
    number = _SYSCALLS.get(os.uname().machine)
    policy = os.sched_getscheduler(0)
    if number is None or policy != os.SCHED_OTHER:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    attributes = _ATTRIBUTES.pack(_ATTRIBUTES.size, policy, 0, nice, 0, SLICE_NS, 0, 0)
    return bool(ctypes.CDLL(None).syscall(number, 0, attributes, 0) == 0)
