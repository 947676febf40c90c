"""CPU time of a relay for each cell, in bursts of 45, 8 and 1, and where it goes.

The whole: a real router on real UDP sockets of loopback takes bursts of a real path and sends them
on; the clock runs only during its own turns (`receive` and `from_wire` until nothing is left), so
reading, opening, the layer, sealing and sending are in it, and the kernel's work in those calls.
Waking up, epoll and the event loop's own cost are not: bursts are sent one at a time, each answered
by one turn.

The parts are timed in a second pass, call by call, inside such turns. The rest of the whole is what
happens between them: heads, runs, windows, look-ups, liveness.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from benchmarks.figures import Benchmark, BenchmarkFailed, Figure, Reading, Readings
from benchmarks.loopback import Chain, chain
from benchmarks.stopwatch import Stopwatch, clock_cost
from lokinet_node.drivers.udp import UdpSocket
from lokinet_node.link.crypt import Opener, Sealer
from lokinet_node.path.lanes import TransitLane

BURSTS = {45: 1000, 8: 3000, 1: 8000}
"""How many bursts of each size are timed."""
WARM = 50
PARTS: Mapping[str, tuple[str, tuple[tuple[type, str], ...]]] = {
    "socket": ("socket, kernel included", ((UdpSocket, "receive"), (UdpSocket, "send"))),
    "open": ("link open", ((Opener, "open_run"),)),
    "layer": ("layer and header", ((TransitLane, "relay"),)),
    "seal": ("link seal", ((Sealer, "seal_run"),)),
}
"""Title, and the methods it consists of."""
LOST_SHARE = 0.001


def measure() -> Readings:
    """All burst sizes."""
    cost = clock_cost()
    readings: dict[str, Reading] = {}
    for size, bursts in BURSTS.items():
        whole = relay_cost(size, bursts, cost)
        parts = part_costs(size, bursts, cost)
        readings[f"whole-{size}"] = whole
        readings |= {f"{part}-{size}": Reading(value) for part, value in parts.items()}
        readings[f"rest-{size}"] = Reading(max(0.0, whole.value - sum(parts.values())))
    return readings


def relay_cost(size: int, bursts: int, cost: int) -> Reading:
    """A relay's turns for bursts of `size` cells, µs per cell."""
    watch = Stopwatch(cost)
    with chain() as links:
        _relay(links, size, WARM, Stopwatch())
        before = links.delivered
        _relay(links, size, bursts, watch)
        sent, delivered = size * bursts, links.delivered - before
    if delivered < (1 - LOST_SHARE) * sent:
        raise BenchmarkFailed(f"{delivered} of {sent} cells reached the end of the path")
    return Reading(watch.microseconds() / sent, watch.nanoseconds / 1e9)


def part_costs(size: int, bursts: int, cost: int) -> dict[str, float]:
    """Where a relay's turns spend it, by the names of PARTS, µs per cell."""
    gate = Gate()
    watches = {part: Stopwatch(cost) for part in PARTS}
    with ExitStack() as stack:
        for part, (_, methods) in PARTS.items():
            for owner, method in methods:
                stack.enter_context(timed(owner, method, watches[part], gate))
        links = stack.enter_context(chain())
        _relay(links, size, WARM, gate)
        for watch in watches.values():
            watch.reset()
        _relay(links, size, bursts, gate)
    return {part: watch.microseconds() / (size * bursts) for part, watch in watches.items()}


class Gate:
    """Open while it is the relay's turn: the other nodes use the same classes."""

    __slots__ = ("is_open",)

    def __init__(self) -> None:
        """Closed."""
        self.is_open = False

    def start(self) -> None:
        """Open."""
        self.is_open = True

    def stop(self) -> None:
        """Close."""
        self.is_open = False


@contextmanager
def timed(owner: type, method: str, watch: Stopwatch, gate: Gate) -> Iterator[None]:
    """Time every call of a method while the gate is open; calls must not nest."""
    original = getattr(owner, method)

    def call(*arguments: object) -> object:
        if not gate.is_open:
            return original(*arguments)
        watch.start()
        result = original(*arguments)
        watch.stop()
        return result

    setattr(owner, method, call)
    try:
        yield
    finally:
        setattr(owner, method, original)


def _relay(links: Chain, size: int, bursts: int, watch: Stopwatch | Gate) -> None:
    turn = links.relay.turn
    for _ in range(bursts):
        links.send(size)
        watch.start()
        turn()
        watch.stop()
        links.last.turn()
        links.client.turn()
        links.tick()


def _figures() -> list[Figure]:
    figures = []
    for size in BURSTS:
        title = f"relay, bursts of {size}" if size > 1 else "relay, single cells"
        figures.append(Figure(f"whole-{size}", title, "µs/cell"))
        figures += [
            Figure(f"{key}-{size}", f"  {part}", "µs/cell") for key, (part, _) in PARTS.items()
        ]
        figures.append(Figure(f"rest-{size}", "  the rest", "µs/cell"))
    return figures


BENCHMARK = Benchmark(
    name="relay",
    summary="CPU time of a relay for each cell",
    figures=tuple(_figures()),
    measure=measure,
)
