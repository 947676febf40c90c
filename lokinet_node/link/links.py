"""Hot: the room's door: datagrams of one sender in, cells of one link out.

Receiving: 1. all heads of the burst are read at once; 2. its rows are split into runs of one
index and consecutive counters; 3. each run is opened into the arena of cells; 4. neighbouring runs
of one keypair are delivered together, control cells to the link itself; 5. handshakes, which are
worth more work than a thousand cells, wait until data is through. Sending: rows are sealed into
one arena and leave in one call. Errors are counted by name (events.Drop), nothing is raised.

Control frames that are due leave before `receive`, `send_message` and `tick` return. A link that
went down is another object than the next one to the same peer; when to try again is the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.base.errors import LocalProtocolError
from lokinet_node.burst import CELL_HEADS, DATAGRAM, SINGLE, Cells, Datagrams, runs
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.link.control import Control
from lokinet_node.link.crypt import Opener, Sealer
from lokinet_node.link.events import Drop as Drop
from lokinet_node.link.events import LinkDown as LinkDown
from lokinet_node.link.events import LinkEvent as LinkEvent
from lokinet_node.link.events import LinkMessage as LinkMessage
from lokinet_node.link.events import LinkUp as LinkUp
from lokinet_node.link.events import MessageFailed as MessageFailed
from lokinet_node.link.events import Reason as Reason
from lokinet_node.link.handshake import Identity
from lokinet_node.link.handshaker import PATIENCE, Handshaker
from lokinet_node.link.keypair import CELLS_LIMIT
from lokinet_node.link.link import Address as Address
from lokinet_node.link.link import Link as Link
from lokinet_node.link.liveness import LEAST_PAUSE, SIGN_OF_LIFE
from lokinet_node.link.table import Table
from lokinet_node.link.timers import SLACK, Timers
from lokinet_node.wire.link import CELL_HEADS as DATAGRAM_HEADS
from lokinet_node.wire.link import CELL_WORD, Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.ids import LinkKey
    from lokinet_node.base.timing import Timing
    from lokinet_node.base.units import Micros
    from lokinet_node.crypto.keys import KeyPair
    from lokinet_node.link.keypair import Keypair

    Deliver: TypeAlias = Callable[[Link, Cells, tuple[int, ...], int, Micros], None]
    """Takes opened cells with path id and counter of each; it skips path id 0.

    The arena is good until the call returns.
    """


class Links:
    """All links of one node."""

    def __init__(
        self,
        *,
        static: KeyPair,
        is_router: bool,
        netid: bytes,
        timing: Timing,
        entropy: Entropy,
        transmit: Callable[[Address, memoryview], None],
    ) -> None:
        """`transmit` sends whole datagrams at once; views are good until the call returns.

        `deliver` has to be set before anything is received.
        """
        self.static = static
        self._timing = timing
        self._transmit = transmit
        self.deliver: Deliver
        self._table = Table(entropy)
        self._by_index = self._table.by_index
        self.by_key: dict[LinkKey, Link] = self._table.by_key
        self.drops: list[int] = self._table.drops
        self.events: list[LinkEvent] = self._table.events
        """What `take_events` will give."""
        me = Identity(static, Role(is_router), netid, entropy)
        self._handshaker = Handshaker(me, self._table, timing, transmit)
        self._initiations = self._handshaker.initiations
        self._control = Control(self._table, entropy, self._send)
        self._opener = Opener(self.drops)
        self._sealer = Sealer()
        self._timers = Timers()

    # --- datagrams in

    def receive(self, burst: Datagrams, count: int, address: Address, now: Micros) -> None:
        """Take `count` datagrams of one sender; the arena behind them is not looked at."""
        heads = DATAGRAM_HEADS[count].unpack_from(burst.buffer)
        opened: Keypair | None = None
        filled = 0
        for first, length in SINGLE if count == 1 else runs(heads[0::2], heads[1::2], count):
            counter = heads[2 * first + 1]
            keypair = self._by_index.get(heads[2 * first] ^ CELL_WORD)
            if keypair is not opened:
                if filled and opened is not None:
                    self._opened(opened, filled, now)
                opened, filled = keypair, 0
            if keypair is None:
                self._receive_others(burst, first, length, address, now)
            elif keypair.ends.address != address:
                self.drops[Drop.WRONG_ADDRESS] += length
            elif now >= keypair.expires or counter + length > CELLS_LIMIT:
                self.drops[Drop.KEY_EXPIRED] += length
            else:
                filled += self._opener.open_run(keypair, burst, first, counter, length, filled)
        if filled and opened is not None:
            self._opened(opened, filled, now)
        if self._initiations:
            self._handshaker.work(now)

    def _receive_others(
        self, burst: Datagrams, first: int, count: int, address: Address, now: Micros
    ) -> None:
        """Rows that belong to no keypair: handshakes and strangers."""
        for row in range(first, first + count):
            datagram = bytes(burst.view[row * DATAGRAM : (row + 1) * DATAGRAM])
            link = self._handshaker.receive(datagram, address, now)
            if link is not None:
                self._greet(link, now)

    def _opened(self, keypair: Keypair, count: int, now: Micros) -> None:
        """Authentic cells lie in the first rows of the arena."""
        cells = self._opener.cells
        link = keypair.link
        if link is None:
            link = self._handshaker.confirm(keypair, now)
            self._greet(link, now)
        link.cells_in += count
        link.liveness.heard(now)
        heads = CELL_HEADS[count].unpack_from(cells.buffer)
        controls = heads[0::2].count(0) if count > 1 else heads[0] == 0
        if controls:
            self._control.receive(link, cells, heads, now)
        if controls < count:
            if link.silent_since is None:
                link.silent_since = now
                if link.wakes_at is None or link.wakes_at > now + SIGN_OF_LIFE:
                    self._timers.arm(link, now + SIGN_OF_LIFE + SLACK, SLACK)
            self.deliver(link, cells, heads, count, now)
        if link.channel.flights:
            link.liveness.sent(now)  # what came was not the answer to that
        if controls:
            self._settle(link, now)

    # --- cells out

    def send_cells(self, link: Link, cells: Cells, first: int, count: int, now: Micros) -> None:
        """Seal rows of an arena and send them; dropped and counted when the link cannot."""
        if self._send(link, cells, first, count, now):
            liveness = link.liveness
            if liveness.unanswered_since is None:
                liveness.unanswered_since = now
                if link.wakes_at is None or link.wakes_at > now + LEAST_PAUSE:
                    self._timers.arm(link, liveness.deadline() + SLACK, SLACK)

    def _send(self, link: Link, cells: Cells, first: int, count: int, now: Micros) -> bool:
        keypair = link.current
        counter = None if keypair is None else keypair.reserve(count, now)
        if keypair is None or counter is None:
            self.drops[Drop.NOT_UP] += count
            return False
        link.cells_out += count
        link.silent_since = None
        sealed = self._sealer.seal_run(keypair, counter, cells, first, count)
        self._transmit(keypair.ends.address, sealed)
        return True

    # --- control

    def connect(self, key: LinkKey, address: Address, now: Micros) -> Link:
        """The link to this peer, up or being tried, or a new one that tries for 5 s.

        LocalProtocolError for our own key.
        """
        link = self.by_key.get(key)
        if link is not None:
            return link
        if key == self.static.public:
            raise LocalProtocolError("a node does not link to itself")
        link = self._table.add(key, address, self._table.boot_for(key), now)
        link.claims_router = True
        try:
            self._handshaker.begin(link, now, patience=PATIENCE)
        except CryptoError:
            self._table.take_down(link, Reason.NO_ANSWER)
        else:
            self._settle(link, now)
        return link

    def disconnect(self, link: Link, now: Micros) -> None:
        """End a link here; the peer notices by itself."""
        if self._is_alive(link):
            self._table.take_down(link, Reason.CLOSED)

    def send_message(
        self, link: Link, kind: int, payload: bytes, now: Micros, *, sequenced: bool = True
    ) -> None:
        """Send a control message, or queue it while the link is being tried.

        Its failure is told by MessageFailed, unless it is not sequenced.
        """
        if self._is_alive(link):
            link.channel.send(kind, payload, now, sequenced=sequenced)
            self._settle(link, now)
        elif sequenced:
            self.events.append(MessageFailed(link, kind, payload))

    def hint(self, address: Address, now: Micros) -> None:
        """An ICMP error quoted a datagram of ours to this address: ask the peer now."""
        for link in self.by_key.values():
            if link.address == address and link.current is not None:
                self._probe(link, link.liveness.hint(now), now)
                self._settle(link, now)

    def take_events(self) -> list[LinkEvent]:
        """What happened since the last call, in order."""
        events = self.events.copy()
        self.events.clear()
        return events

    # --- time

    def tick(self, now: Micros) -> None:
        """Do what is due."""
        self._handshaker.work(now)
        self._table.sweep(now)
        for link in self._timers.take_due(now):
            if self._is_alive(link):
                self._look_after(link, now)

    def deadline(self) -> Micros | None:
        """When `tick` has something to do; it may lie in the past: now."""
        links, handshakes = self._timers.deadline(), self._handshaker.deadline()
        if links is None or handshakes is None:
            return handshakes if links is None else links
        return min(links, handshakes)

    def _look_after(self, link: Link, now: Micros) -> None:
        reason = self._handshaker.step(link, now)
        if reason is None and link.current is not None:
            reason = self._keep(link, link.current, now)
        if reason is None:
            self._settle(link, now)
        else:
            self._table.take_down(link, reason)

    def _keep(self, link: Link, keypair: Keypair, now: Micros) -> Reason | None:
        """What a link that is up needs; why it must go down, if it must."""
        if keypair.expires <= now:
            return Reason.EXPIRED
        pings = link.liveness.step(now)
        if pings is None:
            return Reason.DEAD
        self._probe(link, pings, now)
        if link.silent_since is not None and link.silent_since + SIGN_OF_LIFE <= now:
            self._control.show_life(link, now)
        return None

    def _greet(self, link: Link, now: Micros) -> None:
        """A new keypair is in use: both ends say so at once, and measure the round trip."""
        if link.rtt is not None:
            link.channel.assume_rtt(link.rtt)
        self._probe(link, link.liveness.probe(now), now)
        self._settle(link, now)

    def _probe(self, link: Link, pings: int, now: Micros) -> None:
        if pings:
            self._control.ping(link, pings, now)

    def _settle(self, link: Link, now: Micros) -> None:
        """Send what is due on a link and note when to look at it next."""
        if self._is_alive(link):
            self._control.flush(link, now)
            self._timers.arm(link, *link.deadline(self._timing))

    def _is_alive(self, link: Link) -> bool:
        return self.by_key.get(link.key) is link
