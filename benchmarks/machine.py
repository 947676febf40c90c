"""The machine under the figures, and whether it is quiet enough for them."""

from __future__ import annotations

import os
import platform
import statistics
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lokinet_node.burst import CELL, TAG

BUSY_LOAD = 0.5
"""One-minute load for each core above which times say more about the others than about us."""

ROUNDS, SEALS = 9, 1000


@dataclass(frozen=True, slots=True)
class Machine:
    """What figures are to be read against."""

    cores: int
    model: str
    kernel: str
    python: str
    cryptography: str
    load: tuple[float, float, float]
    """Over 1, 5 and 15 minutes, before anything was started."""
    seal_us: float
    """The yardstick: CPU time to seal one cell with AES-256-GCM, as every hop does twice."""

    @property
    def is_busy(self) -> bool:
        """Whether somebody else is using the cores."""
        return self.load[0] > BUSY_LOAD * self.cores


def this_machine() -> Machine:
    """As it is now."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        model=cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")),
        kernel=platform.release(),
        python=platform.python_version(),
        cryptography=version("cryptography"),
        load=os.getloadavg(),
        seal_us=seal_cost(),
    )


def seal_cost() -> float:
    """Microseconds of CPU for one cell; the median of some rounds."""
    encrypt_into = AESGCM(bytes(32)).encrypt_into
    nonce, cell, sealed = bytes(12), bytes(CELL), bytearray(CELL + TAG)
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        for _ in range(SEALS):
            encrypt_into(nonce, cell, None, sealed)
        rounds.append((time.process_time_ns() - began) / SEALS / 1000)
    return statistics.median(rounds)


def cpu_model(cpuinfo: str) -> str:
    """The first processor's name; the architecture where /proc/cpuinfo has none (as on ARM)."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name" and value.strip():
            return " ".join(value.split())
    return platform.machine()
