"""Who shakes hands with whom, and when: attempts of our own, initiations of others, cookies.

Initiator: 1. `begin` sends an initiation and repeats it with growing pauses, each time a new one;
2. a response ends the attempt: the keypair is in use; the caller sends a ping on it at once.
Responder: 1. the gate lets an initiation through; 2. it is read and judged: not from ourselves,
dated within two minutes, newer than the last of its sender, not from elsewhere than a link that is
up; 3. it is answered, and its keypair waits as next; 4. `confirm`, on the first valid cell, puts
it in use. A changed boot id of the peer ends the link; the keypair then starts a new one.

A client is nobody's responder: it drops initiations of every version unread, and so sends to no
address but those it dials (the host's routes of drivers/exit_routes.py rely on it).

An initiation of another version is answered by ours. Anybody on the way can forge that answer, so
it only explains why an attempt came to nothing; it ends none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import WireError
from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.link.events import Drop, LinkUp, Reason
from lokinet_node.link.gate import Gate, Rate
from lokinet_node.link.handshake import Heard, Identity, Start, answer, finish, hear, start
from lokinet_node.link.keypair import Ends, Keypair
from lokinet_node.link.link import Attempt
from lokinet_node.link.macs import COOKIE_LIFE, has_mac1, open_cookie
from lokinet_node.link.stamps import CLOCK_TOLERANCE, Stamps
from lokinet_node.link.table import LINKS
from lokinet_node.wire.link import (
    CELL_TYPE,
    VERSION,
    HandshakeType,
    Role,
    decode_cookie,
    decode_response,
    encode_other_version,
    handshake_type,
    index_of_any_version,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.timing import Timing
    from lokinet_node.link.link import Address, Link
    from lokinet_node.link.table import Table

FIRST_PAUSE: Final[Micros] = 100 * MILLISECOND
LONGEST_PAUSE: Final[Micros] = 500 * MILLISECOND
"""Pauses between tries double up to this; a peer that comes up late is found soon after."""
PATIENCE: Final[Micros] = 5 * SECOND
"""A first handshake not answered for this long: there is nobody."""
VERSION_PAUSE: Final[Micros] = 100 * MILLISECOND
VERSION_BURST: Final = 16
"""How often initiations of other versions are answered: they prove nothing about their sender."""


class Handshaker:
    """All handshakes of a node."""

    __slots__ = (
        "_foreign",
        "_gate",
        "_me",
        "_stamp",
        "_stamps",
        "_table",
        "_timing",
        "_transmit",
        "initiations",
    )

    def __init__(
        self,
        me: Identity,
        table: Table,
        timing: Timing,
        transmit: Callable[[Address, memoryview], None],
    ) -> None:
        self._me = me
        self._table = table
        self._timing = timing
        self._transmit = transmit
        self._gate = Gate(me.macs, me.entropy, table.drops)
        self.initiations = self._gate.queue
        """Those that wait for `work`."""
        self._stamps = Stamps()
        self._foreign = Rate(VERSION_PAUSE, VERSION_BURST)
        self._stamp: Micros = 0
        """The last timestamp given out: a repeated instant is made newer."""

    # --- what others send

    def receive(self, datagram: bytes, address: Address, now: Micros) -> Link | None:
        """Take a datagram of no keypair; the link whose attempt it answered, if it did."""
        table = self._table
        if datagram.startswith(CELL_TYPE):
            table.drops[Drop.UNKNOWN_INDEX] += 1
            return None
        try:
            kind, version = handshake_type(int.from_bytes(datagram[:4], "big"))
        except WireError:
            table.drops[Drop.UNKNOWN_TYPE] += 1
            return None
        if kind is HandshakeType.INITIATION and self._me.role is Role.CLIENT:
            # Before anything else: an answer is a datagram to whoever the sender says he is.
            table.drops[Drop.NOT_A_RESPONDER] += 1
            return None
        if version != VERSION:
            table.drops[Drop.VERSION] += 1
            self._other_version(kind, datagram, address, now)
            return None
        match kind:
            case HandshakeType.INITIATION:
                reply = self._gate.admit(datagram, address, now)
                if reply is not None:
                    self._transmit(address, memoryview(reply))
            case HandshakeType.RESPONSE:
                return self._response(datagram, address, now)
            case HandshakeType.COOKIE:
                self._cookie(datagram, address, now)
            case HandshakeType.OTHER_VERSION:
                table.drops[Drop.UNEXPECTED_RESPONSE] += 1  # ours is the same
        return None

    def _other_version(
        self, kind: HandshakeType, datagram: bytes, address: Address, now: Micros
    ) -> None:
        """Tell who starts a handshake, remember what is told to us; no more can be understood."""
        index = index_of_any_version(datagram)
        if kind is HandshakeType.INITIATION and self._foreign.take(now):
            self._transmit(address, memoryview(encode_other_version(index)))
        elif kind is HandshakeType.OTHER_VERSION:
            link = self._table.waiting.get(index)
            if link is not None and link.address == address:
                link.is_foreign = True

    def work(self, now: Micros) -> None:
        """Answer initiations that wait, as many as the time given to handshakes allows."""
        while (waiting := self._gate.next(now)) is not None:
            self._initiation(*waiting, now)

    def deadline(self) -> Micros | None:
        """When `work` has something to do."""
        return self._gate.deadline()

    # --- our own attempts

    def begin(self, link: Link, now: Micros, *, patience: Micros | None) -> None:
        """Start a handshake; a link that is up has no patience to lose: None."""
        give_up_at = None if patience is None else now + patience
        self._try(link, give_up_at, 1, now)

    def step(self, link: Link, now: Micros) -> Reason | None:
        """The time of a link's attempt has come: repeat it, or say why it is over."""
        attempt = link.attempt
        if attempt is None:
            if link.wants_rekey(self._timing, now):
                self.begin(link, now, patience=None)
        elif attempt.give_up_at is not None and attempt.give_up_at <= now:
            if not link.is_up:
                return Reason.OTHER_VERSION if link.is_foreign else Reason.NO_ANSWER
            self._table.end_attempt(link)
        elif attempt.next_at is not None and attempt.next_at <= now:
            self._try(link, attempt.give_up_at, attempt.tries + 1, now)
        return None

    def _try(self, link: Link, give_up_at: Micros | None, tries: int, now: Micros) -> None:
        self._table.end_attempt(link)
        self._stamp = max(now, self._stamp + 1)
        cookie = link.cookie[0] if link.cookie is not None and link.cookie[1] > now else None
        what = Start(
            link.key, link.macs, self._table.new_index(), link.local_boot, self._stamp, cookie
        )
        started, datagram = start(self._me, what, now)
        pause = min(LONGEST_PAUSE, FIRST_PAUSE << min(tries - 1, 8))
        # Up to a quarter more at random: many peers of one that restarts must not keep step.
        pause += pause * self._me.entropy(1)[0] // 1024
        link.attempt = Attempt(started, give_up_at, now + pause, tries)
        self._table.waiting[started.index] = link
        self._transmit(link.address, memoryview(datagram))

    def _response(self, datagram: bytes, address: Address, now: Micros) -> Link | None:
        drops = self._table.drops
        response = decode_response(datagram)
        link = self._table.waiting.get(response.receiver)
        if link is None or link.attempt is None:
            drops[Drop.UNEXPECTED_RESPONSE] += 1
            return None
        if link.address != address:
            drops[Drop.WRONG_ADDRESS] += 1
            return None
        if not has_mac1(datagram, self._me.macs):
            drops[Drop.BAD_MAC1] += 1
            return None
        started = link.attempt.started
        try:
            keys, payload = finish(started, response)
        except CryptoError:
            drops[Drop.BAD_HANDSHAKE] += 1
            return None
        except WireError:
            drops[Drop.BAD_PAYLOAD] += 1
            del self._table.waiting[started.index]  # this try is used up; the next one follows
            return None
        self._table.end_attempt(link)
        ends = Ends(
            peer=link.key,
            address=address,
            local_index=started.index,
            remote_index=response.sender,
            local_boot=link.local_boot,
            peer_boot=payload.boot_id,
            initiated=True,
            claims_router=True,  # routers are the only ones anybody connects to
            born=started.sent_at,
        )
        keypair = Keypair(ends, keys, now + self._timing.link_reject)
        link = self._in_use(keypair, now)
        link.liveness.heard(now)
        link.liveness.assume(now - started.sent_at)
        return link

    def _cookie(self, datagram: bytes, address: Address, now: Micros) -> None:
        cookie = decode_cookie(datagram)
        link = self._table.waiting.get(cookie.receiver)
        if link is None or link.attempt is None or link.address != address:
            self._table.drops[Drop.BAD_COOKIE] += 1
            return
        attempt = link.attempt
        try:
            opened = open_cookie(cookie, link.macs, attempt.started.mac1)
        except CryptoError:
            self._table.drops[Drop.BAD_COOKIE] += 1
            return
        link.cookie = opened, now + COOKIE_LIFE
        # Once at once; if that is answered with a cookie too, at the usual pace.
        if not attempt.started.has_cookie and attempt.next_at is not None:
            self._try(link, attempt.give_up_at, attempt.tries, now)

    # --- attempts of others

    def _initiation(self, datagram: bytes, address: Address, now: Micros) -> None:
        drops = self._table.drops
        try:
            heard = hear(self._me, datagram)
        except CryptoError:
            drops[Drop.BAD_HANDSHAKE] += 1
            return
        except WireError:
            drops[Drop.BAD_PAYLOAD] += 1
            return
        refused = self._judge(heard, address, now)
        if refused is not None:
            drops[refused] += 1
            return
        index = self._table.new_index()
        boot_id = self._table.boot_for(heard.key)
        keys, response = answer(self._me, heard, index, boot_id)
        ends = Ends(
            peer=heard.key,
            address=address,
            local_index=index,
            remote_index=heard.sender,
            local_boot=boot_id,
            peer_boot=heard.payload.boot_id,
            initiated=False,
            claims_router=heard.payload.role is Role.ROUTER,
            born=now,
        )
        self._table.offer(Keypair(ends, keys, now + self._timing.link_reject), now)
        self._transmit(address, memoryview(response))

    def _judge(self, heard: Heard, address: Address, now: Micros) -> Drop | None:
        """Why an authentic initiation is not answered, if it is not."""
        key, timestamp = heard.key, heard.payload.timestamp
        if key == self._me.static.public:
            return Drop.BAD_HANDSHAKE
        if abs(timestamp - now) > CLOCK_TOLERANCE:
            return Drop.CLOCK
        link = self._table.by_key.get(key)
        if link is None and len(self._table.by_key) >= LINKS:
            return Drop.TOO_MANY_LINKS
        if link is not None and link.is_up and link.address != address:
            return Drop.WRONG_ADDRESS
        is_router = heard.payload.role is Role.ROUTER
        if not self._stamps.accept(key, timestamp, is_router=is_router):
            return Drop.STALE_HANDSHAKE
        return None

    def confirm(self, keypair: Keypair, now: Micros) -> Link:
        """The first valid cell came on a keypair that waited: it is in use."""
        ends = keypair.ends
        offer = self._table.next.pop(ends.peer)
        link = self._in_use(keypair, now)
        link.liveness.assume(now - offer.answered_at)
        if link.attempt is not None:
            # Both ends started at once. Our own attempt may still be answered, and if our static
            # key is the lower one its keypair wins; but no further try is worth its while.
            if ends.peer < self._me.static.public:
                self._table.end_attempt(link)
            else:
                link.attempt.next_at = None
                link.attempt.give_up_at = now + PATIENCE
        return link

    def _in_use(self, keypair: Keypair, now: Micros) -> Link:
        """Both ends hold this keypair: give it to its link, or to a new one after a restart."""
        table, ends = self._table, keypair.ends
        link = table.by_key.get(ends.peer)
        if link is not None and link.is_up and link.boot_id != ends.peer_boot:
            table.take_down(link, Reason.RESTARTED)
            link = None
        if link is None:
            link = table.add(ends.peer, ends.address, ends.local_boot, now)
        table.install(link, keypair, self._me.static.public)
        link.address = ends.address
        link.claims_router |= ends.claims_router
        link.boot_id = ends.peer_boot
        if not link.is_up:
            link.is_up = True
            table.events.append(LinkUp(link))
        return link
