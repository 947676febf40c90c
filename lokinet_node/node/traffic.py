"""Hot: packets between the tun and paths, for clients and for a router's own `.snode` traffic.

Tun to wire, packets read in one wake-up together:
1. the destination address names the remote, the remote its flow (who sends, over which path);
2. a packet or super-packet is split into records, one segment each, in the plaintext arena; one
   of more segments than the arena has rows, as an exit's kernel forwards them, fills it repeatedly;
3. when the remote changes, the arena is full or the reads are over: the stream seals the records
   into cells, the path wraps them for all hops, the link sends them in one go.
Wire to tun:
4. the stream opens a run of one index into the plaintext arena;
5. packets are merged into super-packets with the addresses of the authenticated remote.

Packets to addresses that are mapped to nobody, and those that come through an exit: exits/door.py.
A packet for a remote without a ready flow waits in a small queue and asks for one.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum, auto
from typing import TYPE_CHECKING, Final, Protocol

from lokinet_node.base.errors import WireError
from lokinet_node.burst import ROWS, Cells
from lokinet_node.exits.door import FROM_EXIT, TO_EXIT
from lokinet_node.exits.door6 import DESTINATION6, FROM_EXIT6, TO_EXIT6
from lokinet_node.session.messages import encode_message
from lokinet_node.session.packets import NO_OFFLOAD, VNET_HEADER
from lokinet_node.session.plaintexts import (
    PLAINTEXT,
    TYPE_EXIT4,
    TYPE_EXIT6,
    TYPE_MESSAGE,
    TYPE_PACKET,
    Plaintexts,
)
from lokinet_node.wire import ip6
from lokinet_node.wire.ip import HOST_UNKNOWN, HOST_UNREACHABLE, PROHIBITED, icmp_unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.units import Micros
    from lokinet_node.exits.door import Door
    from lokinet_node.session.addresses import AddressMap, Remote
    from lokinet_node.session.exit_rows6 import Rows6
    from lokinet_node.session.merge import Merger
    from lokinet_node.session.split import Splitter
    from lokinet_node.session.streams import ReceiveStream, SendStream

_DESTINATION: Final = slice(VNET_HEADER + 16, VNET_HEADER + 20)
_DIALLED: Final = frozenset({0, TO_EXIT, TO_EXIT6})
"""Packets for which a session is opened. An exit dials nobody: what the internet sends to a client
that is gone is answered in its place."""
WAITING_PACKETS: Final = 32
"""Packets kept for one remote while its session is being set up; the oldest go first."""
WAITING_REMOTES: Final = 256


class Drop(IntEnum):
    """Why packets were dropped; index into ``Traffic.drops``."""

    NO_REMOTE = 0
    NOT_READY = auto()
    NO_PATH = auto()
    NO_ADDRESS = auto()
    NOT_WELCOME = auto()
    """Packets of a remote that was not let in, or has used its share, either way."""
    REFUSED = auto()
    """Packets for a remote that does not let us in."""


class Carrier(Protocol):
    """Carries sealed records of one sending route: a path of ours, or the way back of one."""

    def carry(self, cells: Cells, count: int, now: Micros) -> bool:
        """Wrap rows 0..count and send them; False when the route cannot any more."""


class Guard(Protocol):
    """Screens the packets of one remote, a batch at a time."""

    is_welcome: bool
    """Its packets are delivered, as far as `screen` lets them."""

    def screen(self, plain: Plaintexts, first: int, count: int, now: Micros) -> int:
        """Blank rows that may not pass; how many."""

    def pass_out(self, plain: Plaintexts, count: int, now: Micros) -> int:
        """How many of the rows 0..count may go out."""


class Flow(Protocol):
    """What the tun needs of a remote: how to send to it now."""

    def sending(self) -> tuple[SendStream, Carrier, int] | None:
        """Stream, carrier and handle; None while there is no route."""

    def is_refused(self, now: Micros) -> bool:
        """The remote does not take our packets."""

    @property
    def is_up(self) -> bool:
        """There is a route, whether or not the remote takes our packets."""

    @property
    def guard(self) -> Guard | None:
        """Who screens its packets; None where nobody has to."""


class Traffic:
    """The data plane of one tun device."""

    def __init__(
        self,
        addresses: AddressMap,
        write_packet: Callable[[bytes | bytearray], None],
        want_flow: Callable[[Remote, Micros], None],
        splitter: Splitter,
        merger: Merger,
    ) -> None:
        """`write_packet` takes a virtio header and packet; `want_flow` starts a session."""
        self.addresses = addresses
        self.flows: dict[Remote, Flow] = {}
        self.door: Door | None = None
        """Where packets of the internet pass; None on routers."""
        self.drops = [0] * len(Drop)
        self.packets_in = self.packets_out = 0
        self._write_packet = write_packet
        self._want_flow = want_flow
        self._splitter = splitter
        self._merger = merger
        self._waiting: dict[Remote, deque[bytearray]] = {}
        self._outgoing = Plaintexts()
        self._incoming = Plaintexts()
        self._cells = Cells()
        self._remote: Remote | None = None
        self._rows = 0

    # --- tun to wire

    def packet(self, buffer: bytearray, size: int, now: Micros) -> None:
        """One read of the tun: virtio header and packet; it may wait until `flush`."""
        if buffer[VNET_HEADER] >> 4 == ip6.VERSION:
            self._packet6(buffer, size, now)
            return
        door, side = self.door, 0
        destination = bytes(buffer[_DESTINATION])
        remote = self.addresses.by_ip.get(destination)
        if remote is not None:
            side = 0 if door is None else door.side(buffer, size)
        elif door is not None:
            remote, side = door.exit_for(destination), TO_EXIT
        if remote is None:
            self._refuse(buffer, size)
            return
        self._take(remote, buffer, size, side, self._splitter, now)

    def _packet6(self, buffer: bytearray, size: int, now: Micros) -> None:
        """The same for IPv6, which only exits carry."""
        six = None if self.door is None else self.door.six
        if six is None:
            self.drops[Drop.NO_REMOTE] += 1
            return
        if six.is_local(buffer, size):
            return
        way = six.way(buffer, size, self.addresses.by_ip)
        if way is None:
            self._refuse(buffer, size)
            return
        self._take(way[0], buffer, size, way[1], six.rows, now)

    def _take(
        self,
        remote: Remote,
        buffer: bytearray,
        size: int,
        side: int,
        cutter: Splitter | Rows6,
        now: Micros,
    ) -> None:
        """A read for a remote: into the arena, or into its queue."""
        rows, needed = self._rows, cutter.rows(buffer, size)
        if rows and (remote is not self._remote or ROWS - rows < needed <= ROWS):
            self.flush(now)
        self._remote = remote
        flow = self.flows.get(remote)
        if flow is None or flow.sending() is None:
            if flow is not None and flow.is_refused(now):
                self._prohibit(buffer, size)
            elif flow is None and side not in _DIALLED:
                self.drops[Drop.NO_REMOTE] += 1
                self._unreachable(buffer, size, HOST_UNREACHABLE)
            else:
                self._wait(remote, buffer[:size], now)
            return
        self._cut(buffer, size, needed, side, now)

    def _cut(self, buffer: bytearray, size: int, needed: int, side: int, now: Micros) -> None:
        """Split a read into rows of the arena, which is sent whenever it is full."""
        door, done = self.door, 0
        six = door.six if door is not None and buffer[VNET_HEADER] >> 4 == ip6.VERSION else None
        while done < needed:
            if self._rows == ROWS:
                self.flush(now)
            rows = self._rows
            if six is not None:
                count = six.split(buffer, size, self._outgoing, rows, side, done)
            else:
                count = self._splitter.split(buffer, size, self._outgoing, rows, done)
            if not count:
                return
            if side and six is None and door is not None:
                door.keep(self._outgoing, rows, count, buffer, side)
            self._rows = rows + count
            done += count

    def flush(self, now: Micros) -> None:
        """Seal and send the records gathered so far."""
        count, remote = self._rows, self._remote
        if not count or remote is None:
            return
        self._rows = 0
        flow = self.flows.get(remote)
        way = flow.sending() if flow is not None else None
        if flow is None or way is None:
            self.drops[Drop.NOT_READY] += count
            return
        if flow.guard is not None:
            passed = flow.guard.pass_out(self._outgoing, count, now)
            self.drops[Drop.NOT_WELCOME] += count - passed
            count = passed
            if not count:
                return
        stream, carrier, handle = way
        sealed = stream.seal(self._outgoing, 0, count, self._cells, 0, handle)
        if sealed and carrier.carry(self._cells, count, now):
            self.packets_out += count
            self.addresses.use(remote)
        else:
            self.drops[Drop.NO_PATH] += count

    def _refuse(self, buffer: bytearray, size: int) -> None:
        """An address that maps to nobody, or to an exit that is down: the sender hears so."""
        self.drops[Drop.NO_REMOTE] += 1
        code = HOST_UNKNOWN if self.door is None else self.door.refusal(_destination(buffer))
        self._unreachable(buffer, size, code)

    def _prohibit(self, buffer: bytearray, size: int) -> None:
        """A remote that does not let us in: the sender hears so at once."""
        self.drops[Drop.REFUSED] += 1
        self._unreachable(buffer, size, PROHIBITED)

    def _unreachable(self, buffer: bytearray, size: int, code: int) -> None:
        is_ipv6 = buffer[VNET_HEADER] >> 4 == ip6.VERSION
        make = ip6.icmp6_unreachable if is_ipv6 else icmp_unreachable
        try:
            answer = make(bytes(buffer[VNET_HEADER:size]), code)
        except WireError:
            return
        if answer:
            self._write_packet(NO_OFFLOAD + answer)

    def _wait(self, remote: Remote, packet: bytearray, now: Micros) -> None:
        queue = self._waiting.get(remote)
        if queue is None:
            if len(self._waiting) >= WAITING_REMOTES:
                self.drops[Drop.NOT_READY] += 1
                return
            queue = self._waiting[remote] = deque(maxlen=WAITING_PACKETS)
        if len(queue) == WAITING_PACKETS:
            self.drops[Drop.NOT_READY] += 1
        queue.append(packet)
        self._want_flow(remote, now)

    def ready(self, remote: Remote, now: Micros) -> None:
        """A flow can send: the packets that waited for it go."""
        for packet in self._waiting.pop(remote, ()):
            self.packet(packet, len(packet), now)
        self.flush(now)

    def failed(self, remote: Remote) -> None:
        """No flow will come: forget what waited."""
        self.unreachable(remote)
        self.drops[Drop.NOT_READY] += len(self._waiting.pop(remote, ()))

    def unreachable(self, remote: Remote) -> None:
        """Nothing goes through this exit for now: what waits to hears so."""
        queue = self._waiting.get(remote, ())
        for packet in [one for one in queue if not self._is_mapped(one)]:
            self._waiting[remote].remove(packet)
            self._refuse(packet, len(packet))

    def _is_mapped(self, packet: bytearray) -> bool:
        """Whether a packet is for a remote itself."""
        destination = _destination(packet)
        if len(destination) != ip6.ADDRESS:
            return destination in self.addresses.by_ip
        six = None if self.door is None else self.door.six
        return six is not None and destination.startswith(six.prefix)

    def refused(self, remote: Remote) -> None:
        """The remote does not let us in: whoever waits hears so."""
        for packet in self._waiting.pop(remote, ()):
            self._prohibit(packet, len(packet))

    # --- wire to tun

    def records(
        self,
        remote: Remote,
        stream: ReceiveStream,
        cells: Cells,
        first: int,
        counters: tuple[int, ...],
        now: Micros,
        guard: Guard | None = None,
    ) -> list[bytes]:
        """Open a run of one stream and write its packets; returns session messages in it.

        What did not open is counted by the stream.
        """
        incoming = self._incoming
        count = stream.open(cells, first, len(counters), counters, incoming, 0)
        if not count:
            return []
        self.packets_in += count
        if guard is not None:
            blanked = guard.screen(incoming, 0, count, now)
            self.drops[Drop.NOT_WELCOME] += blanked
            self.packets_in -= blanked
        types = bytes(incoming.view[: count * PLAINTEXT : PLAINTEXT])
        if guard is None or guard.is_welcome:
            self._write(remote, incoming, types, now)
        if TYPE_MESSAGE not in types:
            return []
        contents = (incoming.content(row) for row in range(count) if types[row] == TYPE_MESSAGE)
        return [bytes(content) for content in contents if content is not None]

    def _answer(self, door: Door, now: Micros) -> None:
        """What an exit says of packets it refused."""
        if door.provider is None:
            return
        for client, answer in door.provider.take_answers():
            self._turn_to(client, now)
            read = bytearray(NO_OFFLOAD + answer)
            side = FROM_EXIT6 if answer[0] >> 4 == ip6.VERSION else FROM_EXIT
            self._cut(read, len(read), 1, side, now)
        for client, hint in door.provider.take_hints():
            # a session message among the packets: the same records carry both
            self._turn_to(client, now)
            self._outgoing.put(self._rows, TYPE_MESSAGE, encode_message(hint))
            self._rows += 1
        self.flush(now)

    def _turn_to(self, remote: Remote, now: Micros) -> None:
        """Make room for one more row, for this remote."""
        if remote != self._remote or self._rows == ROWS:
            self.flush(now)
        self._remote = remote

    def _write(self, remote: Remote, incoming: Plaintexts, types: bytes, now: Micros) -> None:
        """Rows of a remote, of these types, as packets from its mapped address or of an exit."""
        count = len(types)
        source = self.addresses.by_remote.get(remote) or self.addresses.assign(remote)
        if source is None:
            self.drops[Drop.NO_ADDRESS] += count
            return
        self.addresses.touch(source)
        if TYPE_PACKET in types:
            self._merger.write(incoming, 0, count, source, self.addresses.own, self._write_packet)
        door = self.door
        if door is None or not (TYPE_EXIT4 in types or TYPE_EXIT6 in types):
            return
        if TYPE_EXIT4 in types:
            door.deliver(remote, source, incoming, count, self._merger, self._write_packet, now)
        if TYPE_EXIT6 in types and door.six is not None:
            door.six.deliver(remote, source, incoming, count, self._write_packet, now)
        self._answer(door, now)

    def other_drops(self) -> tuple[dict[str, int], dict[str, int]]:
        """Counters of packets that were not cut into records, and of records that were none."""
        return self._splitter.drops, self._merger.drops


def _destination(read: bytearray) -> bytes:
    """The 4 or 16 bytes of a tun read."""
    is_ipv6 = read[VNET_HEADER] >> 4 == ip6.VERSION
    return bytes(read[DESTINATION6 if is_ipv6 else _DESTINATION])
