"""Requests that arrive whether or not those before them were answered.

Rules: when a request arrives is drawn beforehand (independent users: exponential gaps), and its
response time counts from there, so a network that stalls cannot hide it by being asked less. A
client takes one request at a time; what finds all clients busy waits, and the wait counts.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import socket
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import h11

from orchestrator.checks.network import Network
from orchestrator.errors import OperatorError
from orchestrator.traffic.charts import Chart, Recent
from orchestrator.traffic.delays import Delays
from orchestrator.traffic.exchange import Exchange, Stale
from orchestrator.traffic.loads import HttpLoad
from orchestrator.traffic.threads import opened

__all__ = ["Requests"]

FIRST_ERROR_STATUS = 400
DEFAULT_PORT = 80
"""Which a Host header leaves out."""


@dataclass(slots=True)
class Requests:
    """One job; `begin`, `run` until cancelled, `figures` at any time."""

    network: Network
    load: HttpLoad
    host: str = ""
    """What `to` is called in the network."""
    addresses: dict[str, str] = field(default_factory=dict)
    """Of the host, as each caller's resolver said, as long as it can be reached there."""
    queue: asyncio.Queue[float] = field(default_factory=asyncio.Queue)
    """When each that nobody took yet arrived, by the monotonic clock."""
    arrived: int = 0
    response: Delays = field(default_factory=Delays)
    """From the arrival to the answer's end."""
    service: Delays = field(default_factory=Delays)
    """From when a client took it."""
    failures: Counter[str] = field(default_factory=Counter)
    size: int = 0
    """Bytes of pages that came, those of unfinished ones, too."""
    charts: tuple[Chart, Chart, Chart] = field(
        default_factory=lambda: (
            Chart("response time", "ms"),
            Chart("requests", "1/s"),
            Chart("throughput", "Mbit/s"),
        )
    )
    recent: Recent = field(default_factory=Recent)

    def begin(self) -> None:
        """Look up where requests go; raises CheckFailed."""
        self.host = self.network.host(self.load.to)
        for caller in dict.fromkeys(self.load.callers):
            self.addresses[caller] = self.network.resolve(caller, self.host)

    async def run(self, lasts_s: float | None) -> None:
        """Until the time is over and what arrived is answered, or until cancelled."""
        callers = self.load.callers
        async with asyncio.TaskGroup() as tasks:
            clients = [
                tasks.create_task(self._serve(callers[number % len(callers)]))
                for number in range(self.load.clients)
            ]
            try:
                await self._arrive(lasts_s)
                await self.queue.join()
            finally:
                for client in clients:
                    client.cancel()

    async def _arrive(self, lasts_s: float | None) -> None:
        draw = random.Random()
        next_at = time.monotonic()
        ends_at = math.inf if lasts_s is None else next_at + lasts_s
        while (next_at := next_at + draw.expovariate(self.load.rps)) < ends_at:
            if (wait_s := next_at - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            self.arrived += 1
            self.queue.put_nowait(next_at)
        await asyncio.sleep(ends_at - time.monotonic())

    async def _serve(self, caller: str) -> None:
        """One client."""
        kept: Exchange | None = None
        try:
            while True:
                arrived_at = await self.queue.get()
                try:
                    kept = await self._answer(caller, kept, arrived_at)
                finally:
                    self.queue.task_done()
        finally:
            if kept is not None:
                kept.close()

    async def _answer(
        self, caller: str, kept: Exchange | None, arrived_at: float
    ) -> Exchange | None:
        """One request; the connection, if it goes on."""
        taken_at = time.monotonic()
        used: list[Exchange] = [kept] if kept else []
        try:
            async with asyncio.timeout_at(arrived_at + self.load.timeout_s):
                status = await self._ask(caller, used)
        except TimeoutError:
            self.failures["timeout"] += 1
        except h11.RemoteProtocolError:
            self.failures["no HTTP"] += 1
        except OperatorError as error:
            self.failures[str(error)] += 1
        except OSError as error:
            self.failures[os.strerror(error.errno) if error.errno else str(error)] += 1
        else:
            self._count(status, arrived_at, taken_at)
            if used[-1].may_go_on():
                return used[-1]
        for each in used:
            each.close()
        return None

    async def _ask(self, caller: str, used: list[Exchange]) -> int:
        """Over the last connection of `used`, or over a new one that is added to it."""
        port = "" if self.load.port == DEFAULT_PORT else f":{self.load.port}"
        where = (f"{self.host}{port}", self.load.path)
        if used:
            try:
                return await used[-1].get(*where)
            except Stale:
                used.pop().close()
        used.append(await self._connect(caller))
        return await used[-1].get(*where)

    async def _connect(self, caller: str) -> Exchange:
        """To where it was reached last, or else to where the resolver says now."""
        made, address = await opened(
            lambda: self._begin_connection(caller), lambda found: found[0].close()
        )
        self.addresses.pop(caller, None)
        connected = await Exchange.to(made, (address, self.load.port), self._take)
        self.addresses[caller] = address
        return connected

    def _begin_connection(self, caller: str) -> tuple[socket.socket, str]:
        address = self.addresses.get(caller) or self.network.resolve(caller, self.host)
        return self.network.socket(caller, "tcp"), address

    def _take(self, size: int) -> None:
        self.size += size

    def _count(self, status: int, arrived_at: float, taken_at: float) -> None:
        now = time.monotonic()
        if status >= FIRST_ERROR_STATUS:
            self.failures[f"status {status}"] += 1
            return
        self.response.add(round((now - arrived_at) * 1e6))
        self.service.add(round((now - taken_at) * 1e6))

    def sample(self, seconds: float) -> None:
        """A point of each chart: what was since the last one."""
        delays = self.recent.added_delays(self.response)
        failed = sum(self.failures.values())
        passed, arrived, gone, size = self.recent.added(
            s=seconds, arrived=self.arrived, failed=failed, size=self.size
        )
        times, rates, throughput = self.charts
        if delays.count:
            p50, p95 = (delays.quantile_us(share) / 1000 for share in (0.5, 0.95))
            times.add(seconds, p50=p50, p95=p95)
        if passed > 0:
            counts = {"arrived": arrived, "answered": delays.count, "failed": gone}
            rates.add(seconds, **{name: count / passed for name, count in counts.items()})
            throughput.add(seconds, pages=size * 8 / passed / 1e6)

    def figures(self, seconds: float) -> dict[str, Any]:
        """What became of the requests in the first `seconds`."""
        return {
            "arrived": self.arrived,
            "answered": self.response.count,
            "failed": sum(self.failures.values()),
            "failures": dict(self.failures.most_common()),
            "answered_per_second": round(self.response.count / seconds, 2),
            "bits_per_second": round(self.size * 8 / seconds),
            "response": self.response.figures(),
            "service": self.service.figures(),
        }
