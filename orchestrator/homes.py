"""Where a network lives: chosen once, and written in the first line of its journal.

Pure values; who chooses is `choice`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["BACKENDS", "BackendName", "Home"]

BackendName = Literal["netns", "docker"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)


@dataclass(frozen=True, slots=True)
class Home:
    """A kind of place, and the addresses it gave to the links."""

    backend: BackendName = "netns"
    underlay: str = ""
    """The /16 of the links; empty: the topology's. Containers share the machine's addresses with
    others, so it may be another one."""
    clearnet: str = ""
    """The same of the clearnet, where the topology has one."""
