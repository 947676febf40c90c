"""Calls at once: each two streams of paced packets, dialled anew when it breaks.

Rules: a packet is sent when its turn has come, whatever became of those before; how late this
process was with that is a figure of its own. One-way delays need no second clock: all nodes are on
this machine.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from orchestrator.checks.network import Network
from orchestrator.errors import CheckFailed, OperatorError
from orchestrator.traffic.charts import Chart, Recent
from orchestrator.traffic.delays import Delays
from orchestrator.traffic.line import End, Line, dial, now_us
from orchestrator.traffic.loads import VoipLoad
from orchestrator.traffic.stream import ARRIVES_WITHIN_US, INTERVAL_US, Incoming
from orchestrator.traffic.threads import opened
from orchestrator.voice.emodel import JITTER_BUFFER_MS, mos, r_factor

__all__ = ["Calls"]

RING_EVERY_S = 0.1
ANSWER_S = 10.0
"""How long it rings."""
SILENCE_S = 5.0
"""After which a person hangs up and dials again."""
AGAIN_S = 1.0
"""Before a call that could not be made is tried again."""
INTERVAL_S = INTERVAL_US / 1e6


@dataclass(slots=True)
class Way:
    """One direction of a call, over all times it was dialled."""

    delays: Delays = field(default_factory=Delays)
    sent: int = 0
    received: int = 0
    lost: int = 0
    duplicates: int = 0
    reordered: int = 0
    jitter_us: float = 0.0

    def with_part(self, sender: End, receiver: Incoming, now: int) -> Way:
        """This, and what goes on now."""
        due = sender.outgoing.due(now)
        return Way(
            self.delays,
            self.sent + sender.outgoing.sent,
            self.received + receiver.received,
            self.lost + receiver.lost(due),
            self.duplicates + receiver.duplicates,
            self.reordered + receiver.reordered,
            receiver.jitter_us,
        )

    @property
    def loss(self) -> float:
        """A share of what should have arrived."""
        expected = self.received + self.lost
        return self.lost / expected if expected else 0.0

    def quality(self) -> tuple[float, float] | None:
        """R and MOS; None before anything arrived. What is too late to be played is lost, too."""
        if not self.delays.count:
            return None
        median_us = self.delays.quantile_us(0.5)
        late = self.delays.share_above(median_us + JITTER_BUFFER_MS * 1000)
        r = r_factor(median_us / 1000, self.loss + (1 - self.loss) * late)
        return r, mos(r)


@dataclass(slots=True)
class Call:
    """One of the job's, however often it is dialled."""

    caller: str
    callee: str
    there: Way = field(default_factory=Way)
    back: Way = field(default_factory=Way)
    line: Line | None = None
    """While it is talked over."""

    @property
    def parties(self) -> tuple[str, str]:
        """Who calls whom."""
        return self.caller, self.callee

    def ways(self) -> tuple[Way, Way]:
        """Both directions until now."""
        if self.line is None:
            return self.there, self.back
        now, near, far = now_us(), self.line.near, self.line.far
        return (
            self.there.with_part(near, far.incoming, now),
            self.back.with_part(far, near.incoming, now),
        )


@dataclass(slots=True)
class Calls:
    """One job; `begin`, `run` until cancelled, `figures` at any time."""

    network: Network
    load: VoipLoad
    calls: list[Call] = field(default_factory=list)
    setup: Delays = field(default_factory=Delays)
    """From the first ring to the answer."""
    lateness: Delays = field(default_factory=Delays)
    """Of this process, from when a packet's turn was to when it was sent."""
    failures: Counter[str] = field(default_factory=Counter)
    unsent: Counter[str] = field(default_factory=Counter)
    """What the kernel said to packets of calls that have ended."""
    charts: tuple[Chart, Chart] = field(
        default_factory=lambda: (Chart("one way", "ms"), Chart("loss", "%"))
    )
    recent: Recent = field(default_factory=Recent)

    def begin(self) -> None:
        """Look whom everybody calls; raises CheckFailed."""
        pairs = self.load.pairs()
        for caller, callee in dict.fromkeys(pairs):
            self.network.resolve(caller, callee)
        self.calls = [Call(caller, callee) for caller, callee in pairs]

    async def run(self, lasts_s: float | None) -> None:
        """Until the time is over and the last packets have had theirs, or until cancelled."""
        ends_at = None if lasts_s is None else time.monotonic() + lasts_s
        async with asyncio.TaskGroup() as tasks:
            for call in self.calls:
                tasks.create_task(self._keep(call, ends_at))

    async def _keep(self, call: Call, ends_at: float | None) -> None:
        """One call, dialled until the time is over."""
        while ends_at is None or time.monotonic() < ends_at:
            try:
                async with asyncio.timeout_at(ends_at) as limit:
                    line = await opened(partial(dial, self.network, *call.parties), Line.close)
            except TimeoutError:
                if limit.expired():
                    return
                self.failures["timeout"] += 1
            except (OperatorError, OSError) as error:
                self.failures[str(error)] += 1
                await asyncio.sleep(AGAIN_S)
                continue
            try:
                await self._hold(call, line, ends_at)
            except CheckFailed as error:
                self.failures[str(error)] += 1
            finally:
                self._hang_up(call, line)

    def _hang_up(self, call: Call, line: Line) -> None:
        call.there, call.back = call.ways()
        call.line = None
        for end in (line.near, line.far):
            self.unsent.update(end.refused)
        line.close()

    async def _hold(self, call: Call, line: Line, ends_at: float | None) -> None:
        """Ring, then talk; raises CheckFailed when it is not answered, or falls silent."""
        ear = _Ear(line)
        with ear.listening():
            if not await self._ring(call, ear, ends_at):
                return
            line.near.incoming.delays = call.back.delays
            line.far.incoming.delays = call.there.delays
            call.line = line
            phase_s = random.random() * INTERVAL_S  # else all calls would send at once
            next_at = time.monotonic() + phase_s
            while ends_at is None or next_at < ends_at:
                if (wait_s := next_at - time.monotonic()) > 0:
                    await asyncio.sleep(wait_s)
                line.near.talk()
                line.far.talk()
                now = time.monotonic()
                self.lateness.add(round((now - next_at) * 1e6))
                if now > ear.silent_since() + SILENCE_S:
                    raise CheckFailed(f"{call.caller} ↔ {call.callee}: silent for {SILENCE_S:g} s")
                next_at += INTERVAL_S
            await asyncio.sleep(ARRIVES_WITHIN_US / 1e6)

    async def _ring(self, call: Call, ear: _Ear, ends_at: float | None) -> bool:
        """Whether it was answered before the time was over; raises CheckFailed."""
        began = time.monotonic()
        while not ear.answered.is_set():
            now = time.monotonic()
            if ends_at is not None and now >= ends_at:
                return False
            if now > began + ANSWER_S:
                raise CheckFailed(f"{call.caller} → {call.callee}: no answer")
            ear.line.near.ring()
            with suppress(TimeoutError):
                async with asyncio.timeout(RING_EVERY_S):
                    await ear.answered.wait()
        self.setup.add(round((time.monotonic() - began) * 1e6))
        ear.begin()
        return True

    def sample(self, seconds: float) -> None:
        """A point of each chart: what was since the last one."""
        ways = [way for call in self.calls for way in call.ways()]
        delays = self.recent.added_delays(Delays.joined(way.delays for way in ways))
        received, lost = self.recent.added(
            received=sum(way.received for way in ways), lost=sum(way.lost for way in ways)
        )
        times, loss = self.charts
        if delays.count:
            p50, p95 = (delays.quantile_us(share) / 1000 for share in (0.5, 0.95))
            jitter = max(way.jitter_us for way in ways) / 1000
            times.add(seconds, p50=p50, p95=p95, jitter=jitter)
        if received + lost > 0:  # what was late and counted as lost may have come since
            loss.add(seconds, lost=100 * max(0.0, lost) / (received + max(0.0, lost)))

    def figures(self, _seconds: float) -> dict[str, Any]:
        """How all calls were until now, and each direction of each."""
        rows = [(call, call.ways()) for call in self.calls]
        ways = [way for _, both in rows for way in both]
        unsent = Counter(self.unsent)
        for call in self.calls:
            for end in (call.line.near, call.line.far) if call.line else ():
                unsent.update(end.refused)
        received, lost = sum(way.received for way in ways), sum(way.lost for way in ways)
        qualities = sorted(quality for way in ways if (quality := way.quality()))
        return {
            "calls": len(self.calls),
            "talking": sum(call.line is not None for call in self.calls),
            "failures": dict(self.failures.most_common()),
            "unsent": dict(unsent),
            "sent": sum(way.sent for way in ways),
            "received": received,
            "lost": lost,
            "loss": round(lost / (received + lost), 6) if received + lost else 0.0,
            "duplicates": sum(way.duplicates for way in ways),
            "reordered": sum(way.reordered for way in ways),
            "delay": Delays.joined(way.delays for way in ways).figures(),
            "jitter_ms": round(max((way.jitter_us for way in ways), default=0.0) / 1000, 3),
            "mos": _of_calls([mos for _, mos in qualities]),
            "r": _of_calls([r for r, _ in qualities]),
            "setup": self.setup.figures(),
            "lateness": self.lateness.figures(),
            "ways": [row for call, both in rows for row in _rows(call, *both)],
        }


def _of_calls(values: list[float]) -> dict[str, float]:
    """Of values in order; empty without any."""
    if not values:
        return {}
    return {"median": round(values[len(values) // 2], 2), "worst": round(values[0], 2)}


def _rows(call: Call, there: Way, back: Way) -> Iterator[dict[str, Any]]:
    """Both directions of a call as JSON."""
    for way, ends in ((there, call.parties), (back, call.parties[::-1])):
        quality = way.quality()
        yield {
            "from": ends[0],
            "to": ends[1],
            "sent": way.sent,
            "received": way.received,
            "lost": way.lost,
            "delay": way.delays.figures(),
            "jitter_ms": round(way.jitter_us / 1000, 3),
            "mos": round(quality[1], 2) if quality else None,
        }


@dataclass(slots=True)
class _Ear:
    """Takes what comes to both ends of a line."""

    line: Line
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    near_at: float = 0.0
    """When something came last."""
    far_at: float = 0.0

    @contextmanager
    def listening(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        near, far = self.line.near.socket, self.line.far.socket
        loop.add_reader(near, self._hear_near)
        loop.add_reader(far, self._hear_far)
        try:
            yield
        finally:
            loop.remove_reader(near)
            loop.remove_reader(far)

    def begin(self) -> None:
        """Silence counts from now."""
        self.near_at = self.far_at = time.monotonic()

    def silent_since(self) -> float:
        """When the one who has waited longest heard something."""
        return min(self.near_at, self.far_at)

    def _hear_near(self) -> None:
        rang, words = self.line.near.hear(self.line.far.source)
        if rang:
            self.answered.set()
        if words:
            self.near_at = time.monotonic()

    def _hear_far(self) -> None:
        rang, words = self.line.far.hear(self.line.near.source)
        if rang:
            self.line.far.ring()
        if words:
            self.far_at = time.monotonic()
