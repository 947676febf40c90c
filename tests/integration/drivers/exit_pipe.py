"""A client, its exit and a site on the internet: three namespaces, real tuns, traffic and doors.

    client: tun 10.0.0.1, everything through it
    exit:   tun 172.16.0.1, and a link to the internet; forwards and masquerades as its admin would
    site:   192.0.2.2, with the internet's MTU of 1500

Between the two tuns there is no network, only the records of a session, sealed and opened.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

from lokinet_node.base.addresses import parse_range
from lokinet_node.burst import CELL, Cells
from lokinet_node.drivers.tun import FORWARDED_SEGMENTS, MOST_SEGMENTS, Tun
from lokinet_node.exits.door import Door
from lokinet_node.exits.policy import Policy
from lokinet_node.exits.provider import ExitProvider
from lokinet_node.node.traffic import Guard, Traffic
from lokinet_node.session.addresses import AddressMap, Remote
from lokinet_node.session.merge import Merger
from lokinet_node.session.split import TUN_READ, Splitter
from lokinet_node.session.streams import (
    DATA_HEADS,
    STREAM_KEY,
    ReceiveStream,
    SendStream,
)
from tests.integration.drivers.namespaces import Namespace, join, two_namespaces

CLIENT, EXIT = "10.0.0.1", "172.16.0.1"
ALICE, PROVIDER = Remote(False, b"a" * 32), Remote(False, b"p" * 32)
UPLINK, SITE = "192.0.2.1", "192.0.2.2"
READS = 16


class OnlyExit:
    """Everything goes through one exit."""

    def exit_for(self, destination: bytes) -> Remote | None:
        return PROVIDER

    def refusal(self, destination: bytes) -> int:
        return 0

    def accepts(self, remote: Remote, source: bytes) -> bool:
        return remote == PROVIDER

    def may_report(self, source: bytes) -> bool:
        return True


class End:
    """One node: its tun, its data plane, and the stream to the other one."""

    def __init__(
        self, namespace: Namespace, own: str, remote: Remote, key: bytes, segments: int
    ) -> None:
        with namespace.entered():
            self.tun = Tun("loki0", parse_range(f"{own}/16"), segments)
        self.remote = remote
        self.reads: Counter[tuple[int, int]] = Counter()
        """(segmentation type, segments) of what the tun gave."""
        self.writes: Counter[int] = Counter()
        """Segmentation types of what the tun got."""
        self.sizes: Counter[int] = Counter()
        """Rows of the bursts that were sent."""
        addresses = AddressMap(parse_range(f"{own}/16"))
        self.mapped = addresses.assign(remote)
        splitter, merger = Splitter(), Merger(join_udp=self.tun.segments_udp)
        self.splitter = splitter
        self.traffic = Traffic(addresses, self._write, lambda *_: None, splitter, merger)
        self.door = self.traffic.door = Door(addresses.own)
        self.traffic.flows[remote] = self
        self._send, self._receive = SendStream(key), ReceiveStream(key)
        self.far: End | None = None
        self._buffer = bytearray(TUN_READ)

    def is_refused(self, now: int) -> bool:
        return False

    @property
    def is_up(self) -> bool:
        return True

    @property
    def guard(self) -> Guard | None:
        return None

    def sending(self) -> tuple[SendStream, End, int]:
        return self._send, self, 9

    def carry(self, cells: Cells, count: int, now: int) -> bool:
        assert self.far is not None
        self.sizes[count] += 1
        counters = DATA_HEADS[count].unpack_from(cells.buffer, 0 * CELL)[2::3]
        far = self.far
        far.traffic.records(far.remote, self._receive, cells, 0, counters, now)
        return True

    def read(self) -> None:
        now = time.monotonic_ns() // 1000
        for _ in range(READS):
            size = self.tun.read_into(self._buffer)
            if not size:
                break
            self.reads[self._buffer[1], self.splitter.rows(self._buffer, size)] += 1
            self.traffic.packet(self._buffer, size, now)
        self.traffic.flush(now)

    def _write(self, packet: bytes | bytearray) -> None:
        self.writes[packet[1]] += 1
        self.tun.write(packet)

    def drops(self) -> dict[str, int]:
        uncut, unjoined = self.traffic.other_drops()
        counters = (uncut, unjoined, self.tun.drops, self.door.drops)
        return {name: n for drops in counters for name, n in drops.items() if n}


class ExitPipe(threading.Thread):
    """Carries packets between the two ends until closed."""

    def __init__(self, client: End, exit_: End) -> None:
        super().__init__(daemon=True)
        self.client, self.exit = client, exit_
        client.far, exit_.far = exit_, client
        self.failure: Exception | None = None
        self._wake, self._end = os.pipe()
        self.start()

    def run(self) -> None:
        ends = {end.tun.fileno(): end for end in (self.client, self.exit)}
        poll = select.poll()
        for descriptor in (*ends, self._wake):
            poll.register(descriptor, select.POLLIN)
        try:
            while True:
                for descriptor, _ in poll.poll():
                    if descriptor == self._wake:
                        return
                    ends[descriptor].read()
        except Exception as error:
            self.failure = error

    def close(self) -> None:
        os.close(self._end)
        self.join(10)
        assert not self.is_alive()
        os.close(self._wake)
        for end in (self.client, self.exit):
            end.tun.close()
        if self.failure:
            raise self.failure


@contextmanager
def exit_pipe(policy: Policy, mtu: int = 1500) -> Iterator[tuple[Namespace, Namespace, ExitPipe]]:
    """The client's namespace, the site's, and what joins them; `mtu` is the internet's."""
    with two_namespaces() as (client, exit_), closing(Namespace()) as site:
        join(exit_, site, mtu)
        key = os.urandom(STREAM_KEY)
        ends = (
            End(client, CLIENT, PROVIDER, key, MOST_SEGMENTS),
            End(exit_, EXIT, ALICE, key, FORWARDED_SEGMENTS),
        )
        client.run("ip route add default dev loki0")
        exit_.run("sysctl -qw net.ipv4.ip_forward=1")
        exit_.run("nft add table ip nat")
        exit_.run("nft add chain ip nat out { type nat hook postrouting priority srcnat ; }")
        exit_.run("nft add rule ip nat out ip saddr 172.16.0.0/16 oifname v0 masquerade")
        ends[0].door.consumer = OnlyExit()
        ends[1].door.provider = ExitProvider(policy)
        with closing(ExitPipe(*ends)) as joined:
            yield client, site, joined
