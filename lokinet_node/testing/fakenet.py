"""A network in a heap: whole Lokinets in one process, in virtual time, with seeded faults.

Events are ordered by (time, serial), so equal times keep the order in which they were made and a
seed repeats a run exactly. Bursts travel whole on a perfect network, as GSO bursts do on veth;
with faults every datagram is lost, doubled and delayed on its own. Corruption is not injected:
the link's tag makes it a loss, and the link room tests that. A machine that asks to be woken at
once, again and again, would spin a core: here it ends the run with an AssertionError.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Protocol

from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.burst import DATAGRAM, Datagrams

if TYPE_CHECKING:
    from collections.abc import Callable

Address = tuple[str, int]
SOCKET_HOLDS = 150
"""Bursts that wait in the socket of a stopped machine: 212992 bytes of single datagrams."""
MOST_AT_ONCE = 50_000
"""Events at one instant; more means that somebody does not let time pass."""
START: Micros = 1_800_000_000 * SECOND
"""Virtual time starts at an arbitrary instant of 2027."""


class Machine(Protocol):
    """What the network drives: a node or a part of one."""

    def from_wire(self, burst: Datagrams, count: int, address: Address, now: Micros) -> None:
        """Datagrams of one sender."""

    def tick(self, now: Micros) -> None:
        """A deadline passed."""

    def deadline(self) -> Micros | None:
        """When to call `tick`."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What happens to each datagram; shares are 0-1."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay: Micros = MILLISECOND // 2
    jitter: Micros = 0


class FakeNetwork:
    """Addresses, machines and the events between them."""

    def __init__(self, seed: int = 0, faults: Faults = Faults()) -> None:
        """`seed` decides every fault."""
        self.now: Micros = START
        self.faults = faults
        self.delivered = self.lost = 0
        self.on_datagrams: Callable[[Address, Address, bytes], None] | None = None
        """Sees everything that is sent: a capture."""
        self._random = Random(seed)
        self._machines: dict[Address, Machine] = {}
        self._cut: set[Address] = set()
        self._severed: set[frozenset[Address]] = set()
        self._stopped: dict[Address, list[Callable[[], None]]] = {}
        self._heap: list[tuple[Micros, int, Callable[[], None]]] = []
        self._serial = count()
        self._armed: dict[Address, Micros] = {}
        self._arena = Datagrams()

    def join(self, address: Address, machine: Machine) -> None:
        """Put a machine on the network."""
        self._machines[address] = machine
        self._arm(address)

    def leave(self, address: Address) -> None:
        """A killed process: it hears and says nothing any more."""
        self._machines.pop(address, None)

    def freeze(self, address: Address, *, frozen: bool = True) -> None:
        """Cut a machine off, or join it again."""
        (self._cut.add if frozen else self._cut.discard)(address)

    def sever(self, one: Address, other: Address, *, severed: bool = True) -> None:
        """Let two machines hear nothing of each other, or join them again."""
        pair = frozenset((one, other))
        (self._severed.add if severed else self._severed.discard)(pair)

    def stop(self, address: Address) -> None:
        """As SIGSTOP: it does nothing, what it is sent waits in its socket."""
        self._stopped.setdefault(address, [])

    def go_on(self, address: Address) -> None:
        """As SIGCONT: first its timers, then what waited, as much as a socket holds."""
        waiting = self._stopped.pop(address, [])
        self._armed.pop(address, None)
        self._arm(address)
        for deliver in waiting[-SOCKET_HOLDS:]:
            self.at(self.now, deliver)

    def is_running(self, address: Address) -> bool:
        """Whether there is a machine that does anything."""
        return address in self._machines and address not in self._stopped

    def transmit(self, source: Address) -> Callable[[Address, memoryview], None]:
        """The sending half of a machine's socket."""

        def send(target: Address, view: memoryview) -> None:
            data = bytes(view)
            if self.on_datagrams is not None:
                self.on_datagrams(source, target, data)
            is_cut = source in self._cut or target in self._cut
            if not is_cut and frozenset((source, target)) not in self._severed:
                self._carry(source, target, data)

        return send

    def at(self, when: Micros, action: Callable[[], None]) -> None:
        """Do something at an instant."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._serial), action))

    def _carry(self, source: Address, target: Address, data: bytes) -> None:
        faults = self.faults
        if not (faults.loss or faults.duplicate or faults.jitter):
            self.at(self.now + faults.delay, lambda: self._deliver(source, target, data))
            return
        for start in range(0, len(data), DATAGRAM):
            datagram = data[start : start + DATAGRAM]
            if self._random.random() < faults.loss:
                self.lost += 1
                continue
            copies = 2 if self._random.random() < faults.duplicate else 1
            for _ in range(copies):
                when = self.now + faults.delay + int(self._random.random() * faults.jitter)
                self.at(when, lambda d=datagram: self._deliver(source, target, d))  # type: ignore[misc]

    def _deliver(self, source: Address, target: Address, data: bytes) -> None:
        machine = self._machines.get(target)
        if machine is None or target in self._cut:
            return
        if target in self._stopped:
            self._stopped[target].append(lambda: self._deliver(source, target, data))
            return
        self._arena.view[: len(data)] = data
        self.delivered += len(data) // DATAGRAM
        machine.from_wire(self._arena, len(data) // DATAGRAM, source, self.now)
        self._arm(target)

    def poke(self, address: Address) -> None:
        """A machine was given something to do from outside: look at its deadline again."""
        self._arm(address)

    def _arm(self, address: Address) -> None:
        machine = self._machines.get(address)
        due = machine.deadline() if machine is not None else None
        if due is None or self._armed.get(address, due + 1) <= due:
            return
        self._armed[address] = due
        self.at(due, lambda: self._tick(address, due))

    def _tick(self, address: Address, due: Micros) -> None:
        if self._armed.get(address) == due:
            del self._armed[address]
        machine = self._machines.get(address)
        if machine is None or address in self._stopped:
            return
        wanted = machine.deadline()
        if wanted is not None and wanted <= self.now:
            machine.tick(self.now)
        self._arm(address)

    def run(self, duration: Micros) -> None:
        """Let virtual time pass."""
        self.run_until(lambda: False, duration, required=False)

    def run_until(
        self, seen: Callable[[], bool], within: Micros, *, required: bool = True
    ) -> Micros:
        """Run until something is observed; how long it took. AssertionError after `within`."""
        start, end = self.now, self.now + within
        at_once = 0
        while not seen():
            if not self._heap or self._heap[0][0] > end:
                self.now = end
                if required:
                    raise AssertionError(f"not observed within {within / SECOND} s")
                break
            when, _, action = heapq.heappop(self._heap)
            at_once = at_once + 1 if when == self.now else 0
            assert at_once < MOST_AT_ONCE, f"time stands still: {self._restless()}"
            self.now = when
            action()
        return self.now - start

    def _restless(self) -> list[Address]:
        """Who wants to be woken without delay."""
        dues = {address: machine.deadline() for address, machine in self._machines.items()}
        return [address for address, due in dues.items() if due is not None and due <= self.now]
