"""Two tuns in two namespaces, joined by splitting and merging in one thread, without crypto.

Alice's node maps the server to WEB, the server's node maps alice to GUEST, as real ones do: every
packet gets new addresses at its receiver.
"""

from __future__ import annotations

import os
import select
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

from lokinet_node.base.addresses import parse_ipv4, parse_range
from lokinet_node.drivers.tun import Tun
from lokinet_node.session.merge import Merger
from lokinet_node.session.packets import NO_OFFLOAD, VNET_HEADER, read_destination
from lokinet_node.session.plaintexts import Plaintexts
from lokinet_node.session.split import TUN_READ, Splitter
from lokinet_node.wire.ip import HOST_UNKNOWN, icmp_unreachable
from tests.integration.drivers.namespaces import Namespace, two_namespaces

ALICE = "10.0.0.1"
WEB = "10.0.0.2"
NOBODY = "10.0.0.99"
SERVER = "172.16.0.1"
GUEST = "172.16.0.9"


class End:
    """One node's tun and what it has seen: (segmentation type, rows) of reads and writes."""

    def __init__(self, namespace: Namespace, own: str, remote: str) -> None:
        with namespace.entered():
            self.tun = Tun("loki0", parse_range(f"{own}/16"))
        self.own = parse_ipv4(own).to_bytes(4, "big")
        self.remote = parse_ipv4(remote).to_bytes(4, "big")
        self.splitter = Splitter()
        self.merger = Merger(join_udp=self.tun.segments_udp)
        self.reads: Counter[tuple[int, int]] = Counter()
        self.writes: Counter[int] = Counter()

    def drops(self) -> dict[str, int]:
        counters = (self.splitter.drops, self.merger.drops, self.tun.drops)
        return {name: n for drops in counters for name, n in drops.items() if n}

    def write(self, packet: bytes) -> None:
        self.writes[packet[1]] += 1
        self.tun.write(packet)


class Pipe(threading.Thread):
    """Carries packets between two ends until closed."""

    def __init__(self, first: End, second: End) -> None:
        super().__init__(daemon=True)
        self.ends = (first, second)
        self.failure: Exception | None = None
        self._buffer = bytearray(TUN_READ)
        self._plain = Plaintexts()
        self._wake, self._end = os.pipe()
        self.start()

    def run(self) -> None:
        first, second = self.ends
        poll = select.poll()
        for one in (first.tun, second.tun, self._wake):
            poll.register(one, select.POLLIN)
        try:
            while True:
                ready = {descriptor for descriptor, _ in poll.poll()}
                if self._wake in ready:
                    return
                if first.tun.fileno() in ready:
                    self._carry(first, second)
                if second.tun.fileno() in ready:
                    self._carry(second, first)
        except Exception as error:
            self.failure = error

    def _carry(self, source: End, target: End) -> None:
        size = source.tun.read_into(self._buffer)
        if not size:
            return
        destination = read_destination(self._buffer, size)
        if destination not in (0, int.from_bytes(source.remote, "big")):
            answer = icmp_unreachable(self._buffer[VNET_HEADER:size], HOST_UNKNOWN)
            if answer:
                source.write(NO_OFFLOAD + answer)
            return
        kind = self._buffer[1]
        rows = source.splitter.split(self._buffer, size, self._plain, 0)
        source.reads[kind, rows] += 1
        target.merger.write(self._plain, 0, rows, target.remote, target.own, target.write)

    def close(self) -> None:
        os.close(self._end)
        self.join(10)
        assert not self.is_alive()
        os.close(self._wake)
        for end in self.ends:
            end.tun.close()
        if self.failure:
            raise self.failure


@contextmanager
def pipe() -> Iterator[tuple[Namespace, Namespace, Pipe]]:
    """Alice's namespace, the server's, and what joins them."""
    with two_namespaces() as (alice, server):
        ends = End(alice, ALICE, WEB), End(server, SERVER, GUEST)
        with closing(Pipe(*ends)) as joined:
            yield alice, server, joined
