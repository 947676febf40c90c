"""What a job is to do, as values and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.units import format_seconds

__all__ = ["HttpLoad", "Load", "VoipLoad", "described", "kind_of", "load_of", "record_of"]


@dataclass(frozen=True, slots=True)
class HttpLoad:
    """Requests for one page, which arrive whether or not the ones before were answered."""

    clients: int
    """At most so many at a time, each over a connection of its own."""
    rps: float
    """Requests a second, on average."""
    callers: tuple[str, ...]
    """Nodes, which the clients are dealt to in turn."""
    to: str
    """A node or a name."""
    port: int
    path: str
    timeout_s: float
    """From a request's arrival to the end of its answer; then it has failed: its user left."""
    lasts_s: float | None
    """None: until it is stopped."""


@dataclass(frozen=True, slots=True)
class VoipLoad:
    """Calls, each of two streams."""

    calls: int
    callers: tuple[str, ...]
    callees: tuple[str, ...]
    lasts_s: float | None

    def pairs(self) -> list[tuple[str, str]]:
        """Who calls whom; each caller calls the callees but itself in turn."""
        made = []
        for number in range(self.calls):
            caller = self.callers[number % len(self.callers)]
            others = [each for each in self.callees if each != caller]
            turn = number // len(self.callers) + number % len(self.callers)
            made.append((caller, others[turn % len(others)]))
        return made


Load = HttpLoad | VoipLoad
KINDS: dict[str, Callable[..., Load]] = {"http": HttpLoad, "voip": VoipLoad}
MOST_NAMES = 4
"""In a line."""


def kind_of(load: Load) -> str:
    """`http` or `voip`."""
    return "http" if isinstance(load, HttpLoad) else "voip"


def record_of(load: Load) -> dict[str, Any]:
    """As JSON can say it."""
    return {"kind": kind_of(load), **asdict(load)}


def load_of(record: dict[str, Any]) -> Load:
    """What `record_of` wrote; raises KeyError and TypeError for what it did not."""
    rest = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in record.items()
        if name != "kind"
    }
    return KINDS[record["kind"]](**rest)


def described(load: Load) -> str:
    """In a line."""
    lasts = f" for {format_seconds(load.lasts_s)}" if load.lasts_s else ""
    if isinstance(load, VoipLoad):
        pairs = [f"{caller} ↔ {callee}" for caller, callee in dict.fromkeys(load.pairs())]
        shown = ", ".join(pairs[:MOST_NAMES]) + (", …" if len(pairs) > MOST_NAMES else "")
        return f"{load.calls} calls, {shown}{lasts}"
    port = "" if load.port == 80 else f":{load.port}"
    where = f"http://{load.to}{port}{load.path}"
    clients = f"{load.clients} clients of {_few(load.callers)}"
    return f"{load.rps:g} requests/s by {clients} to {where}{lasts}"


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (", …" if len(names) > MOST_NAMES else "")
