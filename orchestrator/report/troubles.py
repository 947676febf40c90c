"""Which layer, which node, since when: the judgement on the first screen. Pure.

What is lowest comes first, as what is above rests on it. Instants are seconds since the epoch; a
`Since` never claims more than was seen: not before one instant, not after another, and why.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.errors import Missing
from orchestrator.ops import CHAIN_PROCESS, NODE_PROCESS
from orchestrator.readiness.layers import Layer
from orchestrator.report.witness import Illness

__all__ = ["Act", "Since", "Traces", "Trouble", "clock_time", "nobody_there", "troubles"]

TEST = "test"
"""The layer above all others: what the topology says must hold."""
RANKS = {layer.title: int(layer) for layer in Layer} | {TEST: len(Layer) + 1}
STOPPED = "testnet stopped it"
ENDS = {"STOP", "KILL", "TERM", "INT", "QUIT", "ABRT", "SEGV"}
"""Signals after which a program is silent, by default."""


@dataclass(frozen=True, slots=True)
class Act:
    """What a command did to a node: a line of the journal."""

    at: float
    text: str
    """`SignalProcess process:router-3/lokinet`."""
    reason: str

    @property
    def node(self) -> str | None:
        """Whom it was done to."""
        _, _, what = self.text.partition(" ")
        kind, _, name = what.partition(":")
        return name.partition("/")[0] if kind in ("process", "node") else None

    @property
    def program(self) -> str:
        """Which of that node's programs; empty if it was not about one."""
        return self.text.partition("/")[2]

    @property
    def silences(self) -> str | None:
        """Why nobody can expect anything of it afterwards; None if that is not so."""
        verb = self.text.partition(" ")[0]
        if verb in ("StopProcess", "StopNetwork", "RemoveNetwork"):
            return STOPPED
        number = self.reason.removeprefix("signal ")
        if verb != "SignalProcess" or not number.isdigit():
            return None
        try:
            name = signal.Signals(int(number)).name
        except ValueError:
            return None
        return f"testnet sent it {name}" if name.removeprefix("SIG") in ENDS else None


@dataclass(frozen=True, slots=True)
class Since:
    """Not before, not after, and how that is known."""

    earliest: float | None
    latest: float
    why: str

    def __str__(self) -> str:
        if self.earliest is None:
            return f"{clock_time(self.latest)} at the latest"
        begin, end = clock_time(self.earliest), clock_time(self.latest)
        return begin if begin == end else f"between {begin} and {end}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong."""

    subject: str
    """A node, two with an arrow between, or the title of a test."""
    layer: str
    seen: str
    since: Since
    last_act: str
    """Of a command, on that node; empty if there was none."""
    last_log_line: str


@dataclass(frozen=True, slots=True)
class Traces:
    """What tells when something began, by node."""

    now: float
    acts: Sequence[Act] = ()
    started: Mapping[str, float] | None = None
    """When its onion router was started."""
    wrote: Mapping[str, float] | None = None
    """When its onion router last wrote to its log."""
    illnesses: Mapping[str, Illness] | None = None
    last_lines: Mapping[str, str] | None = None


def troubles(missing: Sequence[Missing], traces: Traces) -> list[Trouble]:
    """Those a wait missed, then what nodes lack now and was not told yet; lowest layer first."""
    found = {each.subject: _trouble(each, traces) for each in missing}
    for node, illness in (traces.illnesses or {}).items():
        line = (traces.last_lines or {}).get(node, "")
        judgement = illness.judgement
        one = Missing(node, judgement.layer.title, judgement.seen, line)
        known = found.get(node)
        # a wait may end with what follows from it; what is lower now is nearer to the cause
        if known is None or _rank(one.layer) < _rank(known.layer):
            found[node] = _trouble(one, traces)
    # of the same layer, what began first may be the cause
    return sorted(found.values(), key=lambda each: (_rank(each.layer), each.since.latest))


def nobody_there(condition: str, traces: Traces) -> Trouble:
    """The one trouble of a network that does not run."""
    last = traces.acts[-1] if traces.acts else None
    act = f"{clock_time(last.at)} {last.text}, {last.reason}" if last else ""
    wrote = max((traces.wrote or {}).values(), default=None)
    since = Since(wrote, traces.now, "the last line in any log, and now")
    if last is not None and last.silences == STOPPED:
        since = Since(last.at, last.at, STOPPED)
    seen = f"no program of it runs: the network is {condition}"
    return Trouble("all nodes", Layer.PROCESS.title, seen, since, act, "")


def _rank(layer: str) -> int:
    return RANKS.get(layer, len(RANKS))


def _trouble(missing: Missing, traces: Traces) -> Trouble:
    node, _, other = missing.subject.partition(" → ")
    acts = [act for act in traces.acts if act.node == node]
    last = acts[-1] if acts else None
    act = f"{clock_time(last.at)} {last.text}, {last.reason}" if last else ""
    since = _since_of_ends(traces, node, other) if other else _since(missing, node, acts, traces)
    return Trouble(missing.subject, missing.layer, missing.seen, since, act, missing.last_log_line)


def _since_of_ends(traces: Traces, *ends: str) -> Since:
    """Of two that do not reach each other: since one of them lacks something, if that is so."""
    illnesses = traces.illnesses or {}
    for illness in sorted((illnesses[end] for end in ends if end in illnesses), key=_seen_at):
        if illness.well_at is not None:
            return Since(illness.well_at, illness.seen_at, "as one of them lacks a lower layer")
    started = [at for end in ends if (at := (traces.started or {}).get(end)) is not None]
    return Since(max(started, default=None), traces.now, "the start of both, and now")


def _seen_at(illness: Illness) -> float:
    return illness.seen_at


def _since(missing: Missing, node: str, acts: Sequence[Act], traces: Traces) -> Since:
    """The act that caused it, else the two looks between, else its last sign of life."""
    is_silent = _rank(missing.layer) <= Layer.SOCKET
    programs: tuple[str, ...] = (NODE_PROCESS, CHAIN_PROCESS)
    if missing.layer == Layer.PROCESS.title:
        programs = (missing.seen.partition(" ")[0],)
    last = next((act for act in reversed(acts) if act.program in programs), None)
    if last is not None and is_silent and (why := last.silences):
        return Since(last.at, last.at, why)
    illness = (traces.illnesses or {}).get(node)
    is_same = illness is not None and illness.judgement.layer.title == missing.layer
    latest = illness.seen_at if illness is not None and is_same else traces.now
    if illness is not None and is_same and illness.well_at is not None:
        return Since(illness.well_at, latest, "seen ready before, and not any more after")
    started = (traces.started or {}).get(node)
    wrote = (traces.wrote or {}).get(node)
    if is_silent and wrote is not None and (started is None or wrote >= started):
        return Since(min(wrote, latest), latest, "its last line in the log, and the first look")
    if started is not None:
        return Since(min(started, latest), latest, "its start, and the first look")
    return Since(None, latest, "nobody looked before")


def clock_time(instant: float) -> str:
    """`08:59:36 UTC`; a report's page has the day in its head."""
    return f"{datetime.fromtimestamp(instant, UTC):%H:%M:%S} UTC"
