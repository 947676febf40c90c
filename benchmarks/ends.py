"""CPU time of the two ends for each packet, in bursts of 45 and 1, without the kernel's part.

One TCP super-packet of 45 segments, or one full segment, goes the whole way between two tuns in
one process, with keys and layers for four hops: out: split into records, seal, wrap for all hops,
link seal; back: link open, unwrap, open, merge into a tun write. Each step is timed by itself. What
comes out must be what went in; anything else fails the benchmark.
"""

from __future__ import annotations

import os
from struct import pack

from benchmarks.figures import Benchmark, BenchmarkFailed, Figure, Reading, Readings
from benchmarks.links import keypairs
from benchmarks.stopwatch import Stopwatch, clock_cost
from lokinet_node.burst import CELL_HEADS, Cells, Datagrams
from lokinet_node.link.crypt import Opener, Sealer
from lokinet_node.link.events import Drop
from lokinet_node.path.lanes import OwnerLane
from lokinet_node.session.merge import Merger
from lokinet_node.session.packets import ACK, GSO_TCP4, NEEDS_CHECKSUM, VNET, VNET_HEADER
from lokinet_node.session.plaintexts import Plaintexts
from lokinet_node.session.split import TUN_READ, Splitter
from lokinet_node.session.streams import DATA_HEADS, ReceiveStream, SendStream, stream_key

BURSTS = {45: 600, 1: 4000}
"""How many bursts of each size are timed."""
HOPS = 4
HEADERS = 20 + 32
"""IPv4, and TCP with timestamps."""
SEGMENT = 1280 - HEADERS
ALICE, WEB = bytes((172, 16, 0, 1)), bytes((172, 16, 0, 2))
STEPS = {
    "split": "out: split",
    "seal": "out: seal",
    "wrap": "out: wrap, 4 layers",
    "link-seal": "out: link seal",
    "link-open": "back: link open",
    "unwrap": "back: unwrap, 4 layers",
    "open": "back: open",
    "merge": "back: merge",
}


def tun_read(segments: int) -> tuple[bytearray, int]:
    """A tun read of so many full TCP segments, and its size."""
    payload = os.urandom(segments * SEGMENT)
    total = HEADERS + len(payload)
    offload, segment = (GSO_TCP4, SEGMENT) if segments > 1 else (0, 0)
    vnet = VNET.pack(NEEDS_CHECKSUM, offload, HEADERS, segment, 20, 16)
    ip = pack("!BBHHHBBH4s4s", 0x45, 0, total, 7, 0x4000, 64, 6, 0, ALICE, WEB)
    tcp = pack("!HHIIBBHHH", 4000, 80, 1, 2, 8 << 4, ACK, 500, 0, 0) + bytes(12)
    read = vnet + ip + tcp + payload
    return bytearray(read.ljust(TUN_READ, b"\0")), len(read)


class Ends:
    """Alice's half and web's, with the hops between them left out: their layers cancel."""

    def __init__(self, cost: int) -> None:
        """`cost` is that of the clock, in nanoseconds."""
        self.watches = {step: Stopwatch(cost) for step in STEPS}
        self.written = b""
        self._splitter, self._merger = Splitter(), Merger(join_udp=True)
        self._link, self._sealer = keypairs(), Sealer()
        self._opener = Opener([0] * len(Drop))
        key = stream_key(os.urandom(32), 0)
        self._sending, self._receiving = SendStream(key), ReceiveStream(key)
        layers = [os.urandom(32) for _ in range(HOPS)]
        self._alice = OwnerLane(None, None, 2, 0)  # type: ignore[arg-type] # sends nothing
        self._web = OwnerLane(None, None, 2, 0)  # type: ignore[arg-type]
        # No offsets: web's backward layers are then alice's forward ones, and take them off.
        self._alice.set_keys([(layer, os.urandom(32), 0, 0) for layer in layers])
        self._web.set_keys([(os.urandom(32), layer, 0, 0) for layer in layers])
        self._outgoing, self._incoming = Plaintexts(), Plaintexts()
        self._cells, self._arena = Cells(), Datagrams()

    def carry(self, read: bytearray, size: int) -> int:
        """One tun read from end to end; how many packets it was."""
        return self._back(self._out(read, size))

    def _out(self, read: bytearray, size: int) -> int:
        watches, cells = self.watches, self._cells
        watches["split"].start()
        count = self._splitter.split(read, size, self._outgoing, 0)
        watches["split"].stop()
        watches["seal"].start()
        self._sending.seal(self._outgoing, 0, count, cells, 0, 9)
        watches["seal"].stop()
        watches["wrap"].start()
        self._alice.wrap(cells, 0, count)
        watches["wrap"].stop()
        watches["link-seal"].start()
        counter = self._link.ours.reserve(count, 0)
        assert counter is not None, "keys outlive the benchmark"
        datagrams = self._sealer.seal_run(self._link.ours, counter, cells, 0, count)
        watches["link-seal"].stop()
        self._arena.bursts[count][:] = datagrams
        return count

    def _back(self, count: int) -> int:
        watches, cells = self.watches, self._opener.cells
        first = self._link.ours.sent - count
        watches["link-open"].start()
        self._opener.open_run(self._link.theirs, self._arena, 0, first, count, 0)
        watches["link-open"].stop()
        counter = CELL_HEADS[count].unpack_from(cells.buffer)[1]
        watches["unwrap"].start()
        self._web.unwrap(cells, 0, count, counter)
        watches["unwrap"].stop()
        watches["open"].start()
        numbers = DATA_HEADS[count].unpack_from(cells.buffer)[2::3]
        opened = self._receiving.open(cells, 0, count, numbers, self._incoming, 0)
        watches["open"].stop()
        watches["merge"].start()
        self._merger.write(self._incoming, 0, opened, ALICE, WEB, self._write)
        watches["merge"].stop()
        return opened

    def _write(self, packet: bytes) -> None:
        self.written = packet


def measure() -> Readings:
    """Both burst sizes."""
    cost = clock_cost()
    readings: dict[str, Reading] = {}
    for segments, bursts in BURSTS.items():
        spent = _spent(segments, bursts, cost)
        each = {step: microseconds / (segments * bursts) for step, microseconds in spent.items()}
        cpu_s = sum(spent.values()) / 1e6
        for way in ("out", "back"):
            total = sum(value for step, value in each.items() if STEPS[step].startswith(way))
            readings[f"{way}-{segments}"] = Reading(total, cpu_s)
        readings |= {f"{step}-{segments}": Reading(value) for step, value in each.items()}
    return readings


def _spent(segments: int, bursts: int, cost: int) -> dict[str, float]:
    """Microseconds of each step over all bursts."""
    ends = Ends(cost)
    read, size = tun_read(segments)
    payload = bytes(read[VNET_HEADER + HEADERS : size])
    for _ in range(bursts):
        if ends.carry(read, size) != segments or not ends.written.endswith(payload):
            raise BenchmarkFailed("what came out at web is not what alice sent")
    return {step: watch.microseconds() for step, watch in ends.watches.items()}


def _figures() -> list[Figure]:
    figures = []
    for segments in BURSTS:
        kind = f"bursts of {segments}" if segments > 1 else "single packets"
        for way, what in (("out", "sending end"), ("back", "receiving end")):
            figures.append(Figure(f"{way}-{segments}", f"{what}, {kind}", "µs/packet"))
            figures += [
                Figure(f"{step}-{segments}", f"  {title.partition(': ')[2]}", "µs/packet")
                for step, title in STEPS.items()
                if title.startswith(way)
            ]
    return figures


BENCHMARK = Benchmark(
    name="ends",
    summary="CPU time of the two ends for each packet",
    figures=tuple(_figures()),
    measure=measure,
)
