"""What the two ends of a session pay for packets: `python -m benchmarks.ends`.

CPU time of this process, nanoseconds for one segment, packet or datagram; median of seven rounds
and the least of them, for a busy machine disturbs the median. Splitting and merging work on
memory only; the socket is on loopback, so a send includes what the kernel does until the
datagram lies in the receiver's queue.
"""

from __future__ import annotations

import statistics
import time  # noqa: TID251 - a benchmark needs a clock
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from struct import pack
from typing import Final

from lokinet_node.burst import DATAGRAM, Datagrams
from lokinet_node.drivers.udp import UdpSocket
from lokinet_node.session.merge import Merger
from lokinet_node.session.plaintexts import Plaintexts
from lokinet_node.session.split import TUN_READ, Splitter

ROUNDS: Final = 7
SEGMENTS: Final = 45
PAYLOAD: Final = 1228
"""TCP payload of a full segment with timestamps: 1280 - 20 - 32."""

ALICE: Final = bytes((10, 0, 0, 1))
WEB: Final = bytes((10, 0, 0, 2))


@dataclass(frozen=True, slots=True)
class Cost:
    """One line of the table."""

    what: str
    median_ns: float
    least_ns: float


def measure(what: str, unit: int, repeat: int, action: Callable[[], object]) -> Cost:
    """Cost of one of the `unit` things that an action handles."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        for _ in range(repeat):
            action()
        rounds.append((time.process_time_ns() - start) / repeat / unit)
    return Cost(what, statistics.median(rounds), min(rounds))


def tun_read(protocol: int, transport: bytes, size: int, segment: int = 0) -> tuple[bytearray, int]:
    """A tun read with `size` bytes of payload, to be cut at `segment` when that is not zero."""
    total = 20 + len(transport) + size
    offload = (1 if protocol == 6 else 5) if segment else 0
    header = pack("!BBHHHBBH4s4s", 0x45, 0, total, 7, 0x4000, 64, protocol, 0, ALICE, WEB)
    vnet = pack("<BBHHHH", 1, offload, 20 + len(transport), segment, 20, 16)
    read = vnet + header + transport + bytes(size)
    return bytearray(read.ljust(TUN_READ, b"\0")), len(read)


def tcp(options: int = 12) -> bytes:
    """A TCP header with ACK set."""
    offset = (20 + options) // 4 << 4
    return pack("!HHIIBBHHH", 4000, 80, 1, 2, offset, 0x10, 500, 0, 0) + bytes(options)


def udp(size: int) -> bytes:
    """A UDP header."""
    return pack("!HHHH", 4000, 53, 8 + size, 0)


def packets() -> Iterator[Cost]:
    """Splitting tun reads into rows and merging rows into tun writes."""
    splitter, merger, plain = Splitter(), Merger(join_udp=True), Plaintexts()

    def ignore(_: bytes) -> None:
        pass

    def both(what: str, read: tuple[bytearray, int], repeat: int) -> Iterator[Cost]:
        buffer, size = read
        rows = splitter.split(buffer, size, plain, 0)
        yield measure(f"split {what}", rows, repeat, lambda: splitter.split(buffer, size, plain, 0))
        yield measure(
            f"merge {what}", rows, repeat, lambda: merger.write(plain, 0, rows, WEB, ALICE, ignore)
        )

    yield from both("45 TCP segments", tun_read(6, tcp(), SEGMENTS * PAYLOAD, PAYLOAD), 400)
    yield from both("45 UDP datagrams", tun_read(17, udp(0), SEGMENTS * 1200, 1200), 400)
    yield from both("one TCP acknowledgement", tun_read(6, tcp(), 0), 5000)
    yield from both("one UDP datagram of 200", tun_read(17, udp(200), 200), 5000)


def sockets() -> Iterator[Cost]:
    """The link socket on loopback: one send and one read for so many datagrams."""
    with closing(UdpSocket(("127.0.0.1", 0))) as out, closing(UdpSocket(("127.0.0.1", 0))) as back:
        burst = Datagrams()
        for count, repeat in ((45, 300), (8, 1000), (1, 4000)):
            view = memoryview(bytes(count * DATAGRAM))

            def there(view: memoryview = view) -> None:
                out.send(back.address, view)
                back.receive(burst)
                back.receive(burst)  # what tells a loop to stop

            yield measure(f"send and receive {count} together", count, repeat, there)

        single = memoryview(bytes(DATAGRAM))

        def one_by_one() -> None:
            for _ in range(16):
                out.send(back.address, single)
            back.receive(burst)
            back.receive(burst)

        yield measure("send 16 singly, gather them", 16, 300, one_by_one)


def main() -> None:
    """Print the table."""
    print(f"{'':34}{'median ns':>12}{'least ns':>12}")
    for cost in (*packets(), *sockets()):
        print(f"{cost.what:34}{cost.median_ns:12.0f}{cost.least_ns:12.0f}")


if __name__ == "__main__":
    main()
